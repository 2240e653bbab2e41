{{/*
What a process is told, as YAML: {plain: {name: value}, logins: {name: {name, key}}}. "needs" lists what it uses:
  marketHistory   the tables of candles and trades, and the stream to the lake if there is one
  log        the command and event logs
  reader     PostgreSQL's reader, if there is one, beside the database
  database   PostgreSQL      cache      Redis        snapshots, archive   their bucket
  keys       the key that wraps data keys            clients   addresses of clients behind a proxy
  notices    the ways to people and to browsers
  issuers    of tokens that people sign in with
  traces     the collector of spans
  anomalies  what one does beside being told
"user" is the service account, whose user of the database the process is where these have users (database.auth iam).
*/}}
{{- define "exchange.settings" -}}
{{- $global := .root.Values.global -}}
{{- $needs := .needs -}}
{{- $byToken := and (eq $global.database.auth "iam") (not .databaseSecret) -}}
plain:
  shard: {{ $global.shard }}
  log_format: {{ $global.logFormat }}
  # The image has it compiled. A build that does not fit must end the start, not make everything ten times slower.
  engine_build: compiled
  {{- if has "log" $needs }}
  kafka_bootstrap: {{ required "global.kafka.bootstrap is needed" $global.kafka.bootstrap | quote }}
  {{- if ne $global.kafka.securityProtocol "PLAINTEXT" }}
  kafka_security_protocol: {{ $global.kafka.securityProtocol }}
  {{- with $global.kafka.saslMechanism }}
  kafka_sasl_mechanism: {{ . }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- if and (has "cache" $needs) (not (include "exchange.cacheSecret" .root)) }}
  cache_url: {{ required "global.redis.url is needed" $global.redis.url | quote }}
  {{- end }}
  {{- if and (has "cache" $needs) $global.redis.cluster }}
  cache_cluster: true
  {{- end }}
  {{- if and (has "database" $needs) $byToken }}
  database_tokens: true
  {{- $login := printf "exchange_%s" (required "the user of the database is needed" .user | replace "-" "_") }}
  database_dsn: {{ include "exchange.dsn" (dict "root" .root "login" $login) | quote }}
  {{- if and (has "reader" $needs) $global.database.readerHost }}
  database_reader_dsn: {{ include "exchange.dsn" (dict "root" .root "login" $login "host" $global.database.readerHost) | quote }}
  {{- end }}
  {{- end }}
  {{- range $kind := list "snapshots" "archive" }}
  {{- with and (has $kind $needs) (get $global.objectStore $kind) }}
  object_store: s3://{{ . }}
  {{- end }}
  {{- end }}
  {{- if has "marketHistory" $needs }}
  market_history: dynamodb:{{ $global.marketHistory.candlesTable }},{{ $global.marketHistory.tradesTable }}
  {{- with $global.lake.streamName }}
  lake: kinesis:{{ . }}
  {{- end }}
  {{- end }}
  {{- if has "keys" $needs }}
  {{- if $global.kmsKeyId }}
  kms_key_id: {{ $global.kmsKeyId | quote }}
  {{- else }}
  secret_key_file: /var/lib/exchange/secrets/data.key
  {{- end }}
  {{- end }}
  {{- if has "notices" $needs }}
  {{- with $global.webHost | default .root.Values.ingress.host }}
  public_url: {{ printf "https://%s" . | quote }}
  {{- end }}
  {{- with $global.notices.queueUrl }}
  notices_queue_url: {{ . | quote }}
  # A function behind the queue does it.
  notices_worker: false
  {{- end }}
  {{- with $global.notices.topicArn }}
  notices_topic_arn: {{ . | quote }}
  {{- end }}
  {{- with $global.notices.mailFrom }}
  notices_mail_from: {{ . | quote }}
  {{- end }}
  # Without the function that lets browsers in there is no endpoint, and the table stays empty.
  {{- if and $global.notices.connectionsTable $global.notices.connectionsEndpoint }}
  notices_connections_table: {{ $global.notices.connectionsTable | quote }}
  notices_connections_url: {{ $global.notices.connectionsEndpoint | quote }}
  {{- end }}
  {{- end }}
  {{- with and (has "issuers" $needs) $global.identity.issuers }}
  identity_issuers: {{ join "," . | quote }}
  identity_audience: {{ required "global.identity.audience is needed" (join "," $global.identity.audience) | quote }}
  {{- end }}
  {{- with and (has "traces" $needs) $global.tracing.endpoint }}
  tracing_endpoint: {{ . | quote }}
  tracing_share: {{ $global.tracing.share | quote }}
  {{- end }}
  {{- if has "anomalies" $needs }}
  anomaly_action: {{ $global.anomalyAction | quote }}
  {{- end }}
  {{- if has "clients" $needs }}
  trusted_proxies: {{ concat (default list .root.Values.ingress.proxyCidrs) .root.Values.ingress.forwarderCidrs | join "," | quote }}
  faucet: {{ $global.faucet }}
  request_limits: {{ $global.requestLimits.enforced }}
  {{- with $global.requestLimits.exemptCidrs }}
  request_limits_exempt: {{ join "," . | quote }}
  {{- end }}
  # Behind the load balancer clients come by TLS and by nothing else.
  hsts: {{ .root.Values.ingress.enabled }}
  {{- end }}
logins:
  {{- if and (has "log" $needs) (include "exchange.kafkaSecret" .root) }}
  {{- $login := .kafkaSecret | default (include "exchange.kafkaSecret" .root) }}
  kafka_username: {name: {{ $login }}, key: username}
  kafka_password: {name: {{ $login }}, key: password}
  {{- end }}
  {{- if and (has "database" $needs) (not $byToken) }}
  database_dsn: {name: {{ .databaseSecret | default (include "exchange.databaseSecret" .root) }}, key: dsn}
  {{- end }}
  {{- if and (has "reader" $needs) $global.database.readerHost (not $byToken) }}
  database_reader_dsn: {name: {{ include "exchange.databaseSecret" .root }}, key: readerDsn}
  {{- end }}
  {{- if and (has "cache" $needs) (include "exchange.cacheSecret" .root) }}
  cache_url: {name: {{ .cacheSecret | default (include "exchange.cacheSecret" .root) }}, key: url}
  {{- end }}
{{- end }}

{{/* Name of the Secret with the database's DSN. */}}
{{- define "exchange.databaseSecret" -}}
{{- if eq .Values.secrets.mode "existing" -}}
{{ required "global.database.secretName is needed" .Values.global.database.secretName }}
{{- else -}}
exchange-database
{{- end -}}
{{- end }}

{{/* Name of the Secret with the login for Kafka; "" when brokers ask for no password. */}}
{{- define "exchange.kafkaSecret" -}}
{{- $kafka := .Values.global.kafka -}}
{{- if hasPrefix "SCRAM" $kafka.saslMechanism -}}
{{- if eq .Values.secrets.mode "plain" -}}{{- fail "secrets.mode plain has no login for Kafka" -}}{{- end -}}
{{- $name := required "global.kafka.secretName is needed" $kafka.secretName -}}
{{- ternary $name "exchange-kafka" (eq .Values.secrets.mode "existing") -}}
{{- end -}}
{{- end }}

{{/* The same for jobs that run before anything else is there. */}}
{{- define "exchange.jobsKafkaSecret" -}}
{{- ternary (include "exchange.kafkaSecret" .) "exchange-jobs-kafka" (eq .Values.secrets.mode "existing") -}}
{{- end }}

{{/* Name of the Secret with the cache's URL; "" when the URL holds no password and stands in the values. */}}
{{- define "exchange.cacheSecret" -}}
{{- if .Values.global.redis.secretName -}}
{{- ternary .Values.global.redis.secretName "exchange-redis" (eq .Values.secrets.mode "existing") -}}
{{- end -}}
{{- end }}

{{/* The same for the rebuild, which runs before anything else is there. */}}
{{- define "exchange.jobsCacheSecret" -}}
{{- if include "exchange.cacheSecret" . -}}
{{- ternary (include "exchange.cacheSecret" .) "exchange-jobs-redis" (eq .Values.secrets.mode "existing") -}}
{{- end -}}
{{- end }}

{{- define "exchange.dataKeySecret" -}}
{{- if eq .Values.secrets.mode "plain" -}}
exchange-data-key
{{- else -}}
{{ required "global.kmsKeyId (or secrets.dataKeySecretName) is needed" .Values.secrets.dataKeySecretName }}
{{- end -}}
{{- end }}

{{- define "exchange.jobsDatabaseSecret" -}}
{{- ternary (include "exchange.databaseSecret" .) "exchange-jobs" (eq .Values.secrets.mode "existing") -}}
{{- end }}

{{/* The volume of the key file, and its mount; nothing when a key management service keeps the key. */}}
{{- define "exchange.keyVolumes" -}}
{{- if not .Values.global.kmsKeyId -}}
volumes:
  - name: data-key
    secret: {secretName: {{ include "exchange.dataKeySecret" . }}, defaultMode: 0440}
volumeMounts:
  - {name: data-key, mountPath: /var/lib/exchange/secrets, readOnly: true}
{{- else -}}
volumes: []
volumeMounts: []
{{- end -}}
{{- end }}

{{/* What stands before the host of the DSN is a placeholder here: see secrets.yaml. "host": the reader's, or the writer. */}}
{{- define "exchange.dsn" -}}
{{- $database := .root.Values.global.database -}}
postgresql://{{ .login }}@{{ .host | default (required "global.database.writerHost is needed" $database.writerHost) }}:{{ $database.port }}/{{ $database.name }}
{{- if $database.caConfigMap -}}
?sslmode={{ $database.sslMode }}&sslrootcert=/etc/exchange/database/ca.pem
{{- end -}}
{{- end }}
