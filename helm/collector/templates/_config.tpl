{{/*
What the collector does (docs.opentelemetry.io, with the components of ADOT). Two scrapes of the same pods: few metrics
for CloudWatch, which is paid by the metric, and all of them for Managed Prometheus, where dashboards look.
*/}}
{{- define "collector.scrape" -}}
- job_name: exchange
  scrape_interval: {{ .seconds }}s
  scrape_timeout: 10s
  # In this form the names of counters keep their _total, as the alarms know them.
  scrape_protocols: [PrometheusText0.0.4]
  metrics_path: /metrics
  kubernetes_sd_configs:
    - {role: pod, namespaces: {names: [{{ .root.Values.global.namespace }}]}}
  relabel_configs:
    - {action: keep, source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_part_of], regex: exchange}
    - {action: keep, source_labels: [__meta_kubernetes_pod_container_port_name], regex: http}
    - {action: drop, source_labels: [__meta_kubernetes_pod_phase], regex: Pending|Succeeded|Failed}
    - {action: replace, source_labels: [__meta_kubernetes_namespace], target_label: namespace}
    - {action: replace, source_labels: [__meta_kubernetes_pod_name], target_label: pod}
    - {action: replace, source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], target_label: process}
{{- end }}

{{- define "collector.config" -}}
{{- $collector := .Values.collector }}
{{- $telemetry := .Values.global.telemetry }}
{{- $region := required "global.region is needed" .Values.global.region }}
extensions:
  health_check: {endpoint: 0.0.0.0:13133}
  {{- if $telemetry.prometheusEndpoint }}
  sigv4auth: {region: {{ $region }}, service: aps}
  {{- end }}
receivers:
  prometheus/cloudwatch:
    config:
      scrape_configs:
        {{- include "collector.scrape" (dict "root" . "seconds" $collector.cloudwatchIntervalSeconds) | nindent 8 }}
  {{- if $telemetry.prometheusEndpoint }}
  prometheus/managed:
    config:
      scrape_configs:
        {{- include "collector.scrape" (dict "root" . "seconds" $collector.prometheusIntervalSeconds) | nindent 8 }}
  {{- end }}
  otlp:
    protocols:
      grpc: {endpoint: 0.0.0.0:4317}
      http: {endpoint: 0.0.0.0:4318}
processors:
  memory_limiter: {check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}
  batch: {timeout: 5s, send_batch_size: 1000, send_batch_max_size: 2000}
  filter/alarmed:
    metrics:
      include:
        match_type: strict
        metric_names:
          {{- range $name, $_ := .Values.cloudwatchMetrics }}
          - {{ $name }}
          {{- end }}
  # CloudWatch adds up what it gets: it must get what is new since the last time, for each pod by itself.
  # The first value of a series only says where to count from. Series of pods that are gone are forgotten.
  cumulativetodelta: {max_staleness: 15m}
  # No errors are no line: the order service shows each kind of its own from the start, so that the first one counts.
  filter/happened:
    metrics:
      datapoint: ['metric.name == "exchange_order_errors_total" and value_double == 0']
exporters:
  # Through a log group: a line of the embedded metric format holds a metric with all its dimensions.
  awsemf:
    region: {{ $region }}
    namespace: Exchange
    log_group_name: {{ required "global.telemetry.metricsLogGroup is needed" $telemetry.metricsLogGroup | quote }}
    log_stream_name: collector
    # The dimensions below and no others: each set of values is a metric that is paid for.
    dimension_rollup_option: NoDimensionRollup
    # Else the same metric of two pods would be one line, and one of them lost.
    resource_to_telemetry_conversion: {enabled: true}
    metric_declarations:
      {{- range $name, $dimensions := .Values.cloudwatchMetrics }}
      - metric_name_selectors: ["^{{ $name }}$"]
        dimensions: {{ toJson (concat (list (list)) $dimensions) }}
      {{- end }}
  awsxray: {region: {{ $region }}}
  {{- with $telemetry.prometheusEndpoint }}
  prometheusremotewrite:
    endpoint: {{ trimSuffix "/" . }}/api/v1/remote_write
    timeout: 10s
    auth: {authenticator: sigv4auth}
  {{- end }}
service:
  extensions: [health_check{{ if $telemetry.prometheusEndpoint }}, sigv4auth{{ end }}]
  telemetry: {logs: {level: info, encoding: json}}
  pipelines:
    metrics/cloudwatch:
      receivers: [prometheus/cloudwatch]
      processors: [memory_limiter, filter/alarmed, cumulativetodelta, filter/happened, batch]
      exporters: [awsemf]
    {{- if $telemetry.prometheusEndpoint }}
    metrics/managed:
      receivers: [prometheus/managed]
      processors: [memory_limiter, batch]
      exporters: [prometheusremotewrite]
    {{- end }}
    traces:
      receivers: [otlp]
      processors: [memory_limiter, batch]
      exporters: [awsxray]
{{- end }}

{{- define "collector.image" -}}
{{- $image := .Values.collector.image -}}
{{ $image.repository }}{{ with $image.digest }}@{{ . }}{{ else }}:{{ $image.tag }}{{ end }}
{{- end }}
