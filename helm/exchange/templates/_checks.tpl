{{/* What no schema can say: relations between values. */}}
{{- define "exchange.checks" -}}
{{- if le (int .Values.drain.preStopSeconds) (int .Values.drain.deregistrationSeconds) -}}
{{- fail "drain.preStopSeconds must be longer than drain.deregistrationSeconds: else clients are sent to pods that have ended" -}}
{{- end -}}
{{- if not (or .Values.global.objectStore.snapshots .Values.workloads.engine.persistence.enabled) -}}
{{- fail "global.objectStore.snapshots is needed (or workloads.engine.persistence.enabled): they must outlive a pod" -}}
{{- end -}}
{{- if and .Values.workloads.archive.enabled (not .Values.global.objectStore.archive) -}}
{{- fail "global.objectStore.archive is needed: the archive's own folder ends with its pod" -}}
{{- end -}}
{{- if and .Values.workloads.notifier.enabled (eq .Values.secrets.mode "external") (not (and .Values.global.notices.queueUrl .Values.global.notices.topicArn)) -}}
{{- fail "global.notices.queueUrl and topicArn are needed: without them the notifier writes into a file of its pod" -}}
{{- end -}}
{{- $history := .Values.global.marketHistory -}}
{{- if and (index .Values.workloads "market-history").enabled (not (and $history.candlesTable $history.tradesTable)) -}}
{{- fail "global.marketHistory.candlesTable and tradesTable are needed (or workloads.market-history.enabled=false)" -}}
{{- end -}}
{{- if and .Values.network.enabled (not (and .Values.ingress.proxyCidrs .Values.network.dataCidrs .Values.network.kubernetesCidrs .Values.network.awsCidrs)) -}}
{{- fail "ingress.proxyCidrs, network.dataCidrs, network.kubernetesCidrs and network.awsCidrs are needed: a policy without addresses lets everything through" -}}
{{- end -}}
{{- if ne .Values.global.namespace .Release.Namespace -}}
{{- fail (printf "global.namespace is %s: AWS's roles are tied to service accounts there, not in %s" .Values.global.namespace .Release.Namespace) -}}
{{- end -}}
{{- range $name := list "order" "market-data" "user" -}}
{{- $scaling := (index $.Values.workloads $name).autoscaling -}}
{{- if lt (int $scaling.max) (int $scaling.min) -}}
{{- fail (printf "workloads.%s.autoscaling: max is below min" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
