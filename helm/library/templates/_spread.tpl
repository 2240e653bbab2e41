{{/* Over zones as evenly as can be; a zone whose nodes are all tainted (lost) does not count. */}}
{{- define "library.zoneSpread" -}}
- maxSkew: 1
  topologyKey: topology.kubernetes.io/zone
  whenUnsatisfiable: DoNotSchedule
  nodeTaintsPolicy: Honor
  {{- if .byRevision }}
  # Each revision by itself: else the old pods of a rollout would decide where the new ones go.
  matchLabelKeys: [pod-template-hash]
  {{- end }}
  labelSelector:
    matchLabels:
      {{- include "library.selectorLabels" . | nindent 6 }}
{{- end }}

{{- define "library.hostSpread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "library.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* Never on capacity that can be taken away at two minutes' notice, whoever made the node. */}}
{{- define "library.neverSpot" -}}
nodeAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    nodeSelectorTerms:
      - matchExpressions:
          - {key: eks.amazonaws.com/capacityType, operator: NotIn, values: [SPOT]}
          - {key: karpenter.sh/capacity-type, operator: NotIn, values: [spot]}
{{- end }}

{{- define "library.preferSpot" -}}
nodeAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      preference:
        matchExpressions:
          - {key: eks.amazonaws.com/capacityType, operator: In, values: [SPOT]}
    - weight: 100
      preference:
        matchExpressions:
          - {key: karpenter.sh/capacity-type, operator: In, values: [spot]}
{{- end }}

{{- define "library.notOnSameHost" -}}
podAntiAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "library.selectorLabels" . | nindent 10 }}
{{- end }}
