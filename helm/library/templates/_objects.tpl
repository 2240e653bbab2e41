{{- define "library.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "library.metadata" . | nindent 2 }}
# AWS ties its roles to name and namespace (Pod Identity). Only the engine's pods get a token of Kubernetes.
automountServiceAccountToken: false
{{- end }}

{{- define "library.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "library.metadata" . | nindent 2 }}
spec:
  {{- if .headless }}
  clusterIP: None
  # A pod that is not ready is asked for its readiness by this name.
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "library.selectorLabels" . | nindent 4 }}
  ports:
    - {name: http, port: 8080, targetPort: http, protocol: TCP}
{{- end }}

{{- define "library.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "library.metadata" . | nindent 2 }}
spec:
  # Always lets a node drain, one pod at a time; a pod that does not work holds nobody up.
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "library.selectorLabels" . | nindent 6 }}
{{- end }}

{{- define "library.hpa" -}}
{{- $scaling := .values.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "library.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ $scaling.min }}
  maxReplicas: {{ $scaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $scaling.cpuPercent }}}
    - type: Pods
      pods:
        metric: {name: {{ $scaling.podMetric.name }}}
        target: {type: AverageValue, averageValue: {{ $scaling.podMetric.average | quote }}}
  behavior:
    # Up at once, by half or by two pods; down slowly, since each pod less moves its clients to the others.
    scaleUp:
      stabilizationWindowSeconds: {{ .root.Values.scaling.upStabilizationSeconds }}
      selectPolicy: Max
      policies:
        - {type: Percent, value: 50, periodSeconds: {{ .root.Values.scaling.upPeriodSeconds }}}
        - {type: Pods, value: 2, periodSeconds: {{ .root.Values.scaling.upPeriodSeconds }}}
    scaleDown:
      stabilizationWindowSeconds: {{ .root.Values.scaling.downStabilizationSeconds }}
      policies:
        - {type: Pods, value: 1, periodSeconds: {{ .root.Values.scaling.downPeriodSeconds }}}
{{- end }}

{{/* Deployment, Service, HPA and budget of a service that runs in any number. */}}
{{- define "library.scaled" -}}
{{- $values := .values -}}
{{- $placement := .root.Values.placement.stateless -}}
{{- $more := dict "drains" true "placement" $placement "affinity" (include "library.preferSpot" .) -}}
{{- $spread := printf "%s\n%s" (include "library.zoneSpread" (merge (dict "byRevision" true) .)) (include "library.hostSpread" .) -}}
{{- $context := merge (dict) . $more (dict "spread" $spread) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "library.metadata" . | nindent 2 }}
spec:
  # No replicas here: the autoscaler's number must survive the next upgrade.
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 600
  minReadySeconds: {{ .root.Values.drain.minReadySeconds }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  selector:
    matchLabels:
      {{- include "library.selectorLabels" . | nindent 6 }}
  template:
    {{- include "library.podTemplate" $context | nindent 4 }}
---
{{ include "library.service" . }}
---
{{ include "library.hpa" . }}
---
{{ include "library.pdb" . }}
{{- end }}

{{/* Deployment and Service of a process of which there is one: its database fences a second one off, but
     two would only be in each other's way, so the old one goes first. */}}
{{- define "library.single" -}}
{{- $context := merge (dict) . (dict "placement" .root.Values.placement.single "affinity" (include "library.neverSpot" .)) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "library.metadata" . | nindent 2 }}
spec:
  replicas: 1
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 600
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "library.selectorLabels" . | nindent 6 }}
  template:
    {{- include "library.podTemplate" $context | nindent 4 }}
---
{{ include "library.service" . }}
{{- end }}

{{/* A Job that Helm runs before the rest: "weight" orders them, "deadlineSeconds" ends them. With a "placement" of
     its own it does not go where the other jobs go; none goes where its node may be taken away. */}}
{{- define "library.hookJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "library.metadata" . | nindent 2 }}
  annotations:
    helm.sh/hook: {{ .hook | default "pre-install,pre-upgrade" }}
    helm.sh/hook-weight: {{ .weight | quote }}
    # A failed one stays to be looked at, until the next try.
    helm.sh/hook-delete-policy: {{ .deletePolicy | default "before-hook-creation,hook-succeeded" }}
spec:
  backoffLimit: {{ hasKey . "backoffLimit" | ternary .backoffLimit 3 }}
  activeDeadlineSeconds: {{ .deadlineSeconds }}
  template:
    {{- include "library.podTemplate" (merge (dict "isJob" true) . (dict "placement" .root.Values.jobs "affinity" (include "library.neverSpot" .))) | nindent 4 }}
{{- end }}
