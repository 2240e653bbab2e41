{{/* What no schema can say: relations between values. */}}
{{- define "exchange.checks" -}}
{{- if le (int .Values.drain.preStopSeconds) (int .Values.drain.deregistrationSeconds) -}}
{{- fail "drain.preStopSeconds must be longer than drain.deregistrationSeconds: else clients are sent to pods that have ended" -}}
{{- end -}}
{{- if not (or .Values.global.objectStore .Values.workloads.engine.persistence.enabled) -}}
{{- fail "global.objectStore is needed (or workloads.engine.persistence.enabled): snapshots must outlive a pod" -}}
{{- end -}}
{{- if and .Values.workloads.archive.enabled (not .Values.global.objectStore) -}}
{{- fail "global.objectStore is needed: the archive's folder ends with its pod" -}}
{{- end -}}
{{- range $name := list "order" "market-data" "user" -}}
{{- $scaling := (index $.Values.workloads $name).autoscaling -}}
{{- if lt (int $scaling.max) (int $scaling.min) -}}
{{- fail (printf "workloads.%s.autoscaling: max is below min" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
