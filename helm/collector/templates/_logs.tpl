{{/*
What the pods of the exchange say, from the files in which their node keeps it to one log group a process. Where a file
was left is kept on the node: a new collector goes on there.
*/}}
{{- define "collector.logs" -}}
{{- $region := required "global.region is needed" .Values.global.region }}
{{- $groups := .Values.global.telemetry.logGroups }}
{{- /* Containers by the start of their name: most have their process's, jobs each their own. */}}
{{- $containers := dict "jobs" (list "migrations" "topics" "rebuild" "readiness") }}
extensions:
  health_check: {endpoint: 0.0.0.0:13133}
  file_storage: {directory: /var/lib/exchange-logs}
receivers:
  {{- range $process, $_ := $groups }}
  filelog/{{ $process }}:
    # <namespace>_<pod>_<uid>/<container>/<restart>.log; the parts of projections are containers projections-*.
    # A file that the node has set aside since (<restart>.log.<time>) may have lines that nobody has read; the oldest
    # are packed.
    include:
      {{- range $container := get $containers $process | default (list $process) }}
      - /var/log/pods/{{ $.Values.global.namespace }}_*/{{ $container }}*/*.log
      - /var/log/pods/{{ $.Values.global.namespace }}_*/{{ $container }}*/*.log.*
      {{- end }}
    exclude: ["/var/log/pods/*/*/*.gz", "/var/log/pods/*/*/*.tmp"]
    include_file_path: true
    start_at: beginning
    storage: file_storage
    retry_on_failure: {enabled: true}
    operators:
      - {type: container}
      # JSON lines; what is none, such as a traceback of the interpreter itself, stays text.
      - {type: json_parser, parse_to: body, if: 'body matches "^{"', on_error: send_quiet}
  {{- end }}
processors:
  memory_limiter: {check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}
  batch: {timeout: 5s, send_batch_size: 1000, send_batch_max_size: 2000}
exporters:
  {{- range $process, $group := $groups }}
  awscloudwatchlogs/{{ $process }}:
    region: {{ $region }}
    log_group_name: {{ $group | quote }}
    # Of each node one; the pod stands in the line.
    log_stream_name: ${env:NODE_NAME}
  {{- end }}
service:
  extensions: [health_check, file_storage]
  telemetry: {logs: {level: info, encoding: json}}
  pipelines:
    {{- range $process, $_ := $groups }}
    logs/{{ $process }}:
      receivers: [filelog/{{ $process }}]
      processors: [memory_limiter, batch]
      exporters: [awscloudwatchlogs/{{ $process }}]
    {{- end }}
{{- end }}
