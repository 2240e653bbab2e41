{{/*
Objects have plain names ("order", not "<release>-order"): one release a namespace, and the same names in
docker-compose.yml, in Prometheus and in the IAM roles that AWS ties to service accounts.

Every template here takes a dict: "root" (the chart's context), "name" (the workload).
*/}}

{{- define "library.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "library.labels" -}}
{{ include "library.selectorLabels" . }}
app.kubernetes.io/part-of: exchange
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "library.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "library.labels" . | nindent 2 }}
{{- end }}

{{/* By digest where there is one: a tag can be moved, a digest cannot. */}}
{{- define "library.image" -}}
{{- $image := .root.Values.global.image -}}
{{- $_ := required "global.image.repository is needed" $image.repository -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ required "global.image.digest (or, for one machine, global.image.tag) is needed" $image.tag }}
{{- end -}}
{{- end }}
