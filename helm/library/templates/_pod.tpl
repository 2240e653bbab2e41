{{/*
The pod of every process. Of the dict, besides root and name:
  values         the workload's values: resources, settings, placement
  command        what the image runs
  serviceAccount whose rights it has
  settings       EXCHANGE_* without the prefix, in lower case -> value
  logins         the same -> {name, key} of a Secret: a file each, which follows the Secret while the process runs
  volumes, volumeMounts  lists, beside the folders for data and scratch files
  dataVolume     false when the data folder is a claim of a StatefulSet
  drains         true when a load balancer sends clients here
  callsKubernetes  true for the token of the service account
  isJob          true for what ends by itself
*/}}

{{- define "library.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- end }}

{{- define "library.podSecurityContext" -}}
# The image's own user: its compiled engine is loaded only by whom it belongs to.
runAsUser: 10001
runAsGroup: 10001
runAsNonRoot: true
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "library.probes" -}}
# The port opens before recovery begins (exchange/process/frame.py).
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 30
# Alive: the loop turns. Being without its servers, recovering, or halted by a command is a matter of
# readiness, and no reason to start anew.
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{/* Sorted, so that the same values give the same text. */}}
{{- define "library.env" -}}
{{- $settings := merge (dict) (.values.settings | default dict) (.settings | default dict) -}}
{{- if .logins }}
{{- $settings = merge (dict "logins_dir" "/etc/exchange/logins") $settings -}}
{{- end }}
{{- range $name := keys $settings | uniq | sortAlpha }}
- name: EXCHANGE_{{ upper $name }}
  value: {{ get $settings $name | toString | quote }}
{{- end }}
{{- with .root.Values.global.region }}
# Both names: botocore reads the second alone, and EKS adds neither to a pod that has one of them.
- name: AWS_REGION
  value: {{ . | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "library.podTemplate" -}}
{{- $root := .root -}}
{{- $usesDatabase := or (hasKey (.logins | default dict) "database_dsn") (hasKey (.settings | default dict) "database_dsn") -}}
{{- $authority := ternary $root.Values.global.database.caConfigMap "" $usesDatabase -}}
{{- $dataVolume := ne (toString .dataVolume) "false" -}}
metadata:
  labels:
    {{- include "library.labels" . | nindent 4 }}
  annotations:
    {{- if .isJob }}
    # Migrations, topics, a rebuild: begun work is not moved to make a node empty.
    cluster-autoscaler.kubernetes.io/safe-to-evict: "false"
    karpenter.sh/do-not-disrupt: "true"
    {{- else }}
    # Only what can be made again lies in these folders: without this word no node would ever be given back.
    cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes: scratch{{ if $dataVolume }},data{{ end }}
    {{- end }}
spec:
  serviceAccountName: {{ .serviceAccount }}
  automountServiceAccountToken: {{ .callsKubernetes | default false }}
  # Else a Service named "exchange" would set EXCHANGE_* variables, and unknown settings stop a process.
  enableServiceLinks: false
  restartPolicy: {{ ternary "Never" "Always" (.isJob | default false) }}
  # What a client asked last is answered, and a leader gives its lease back, within these seconds.
  terminationGracePeriodSeconds: {{ ternary (add $root.Values.drain.preStopSeconds $root.Values.drain.stopSeconds) ($root.Values.drain.stopSeconds | int64) (.drains | default false) }}
  securityContext:
    {{- include "library.podSecurityContext" . | nindent 4 }}
  {{- with $root.Values.global.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .placement }}
  {{- with .priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- $tolerations := (.placement | default dict).tolerations | default list }}
  {{- if or $tolerations (not .isJob) }}
  tolerations:
    {{- with $tolerations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if not .isJob }}
    # A node that is gone is given up after half a minute, not after the five minutes that Kubernetes waits by default:
    # whoever may be two at once is fenced, and whoever is alone is missed.
    - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
    - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
    {{- end }}
  {{- end }}
  {{- with .affinity }}
  affinity:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .spread }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .container | default .name }}
      image: {{ include "library.image" . }}
      imagePullPolicy: {{ $root.Values.global.image.pullPolicy }}
      command:
        {{- toYaml .command | nindent 8 }}
      {{- with include "library.env" . | trim }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "library.containerSecurityContext" . | nindent 8 }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      {{- if not .isJob }}
      ports:
        - {name: http, containerPort: 8080, protocol: TCP}
      {{- include "library.probes" . | nindent 6 }}
      {{- end }}
      {{- if .drains }}
      lifecycle:
        # Goes on answering until no load balancer sends anybody here any more; only then comes SIGTERM.
        preStop:
          sleep: {seconds: {{ $root.Values.drain.preStopSeconds }}}
      {{- end }}
      volumeMounts:
        - {name: scratch, mountPath: /tmp}
        - {name: data, mountPath: /var/lib/exchange/data}
        {{- if .logins }}
        # The whole folder, no file of it by itself: only so does it follow a Secret that changes.
        - {name: logins, mountPath: /etc/exchange/logins, readOnly: true}
        {{- end }}
        {{- with $authority }}
        - {name: database-ca, mountPath: /etc/exchange/database, readOnly: true}
        {{- end }}
        {{- with .volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: scratch
      emptyDir: {sizeLimit: 256Mi}
    {{- if $dataVolume }}
    - name: data
      emptyDir: {sizeLimit: {{ .values.dataSize | default "1Gi" }}}
    {{- end }}
    {{- with .logins }}
    - name: logins
      projected:
        defaultMode: 0440
        sources:
          {{- range $setting := keys . | sortAlpha }}
          {{- $of := get $.logins $setting }}
          - secret:
              name: {{ $of.name }}
              items: [{key: {{ $of.key }}, path: {{ $setting }}}]
          {{- end }}
    {{- end }}
    {{- with $authority }}
    - name: database-ca
      configMap: {name: {{ . }}}
    {{- end }}
    {{- with .volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
