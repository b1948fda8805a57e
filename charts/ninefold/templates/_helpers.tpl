{{- define "ninefold.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "ninefold.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "ninefold.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ninefold.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ninefold.selector" -}}
app.kubernetes.io/name: {{ include "ninefold.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "ninefold.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "ninefold.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: ninefold
{{- end }}

{{- define "ninefold.serviceAccount" -}}
{{- default (include "ninefold.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- /* An image from {repository, tag}; the chart's appVersion where the tag is empty. */}}
{{- define "ninefold.image" -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) }}
{{- end }}

{{- define "ninefold.redisUrl" -}}
{{- if .Values.redis.builtIn.enabled -}}
redis://{{ include "ninefold.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379/0
{{- else -}}
{{ .Values.redis.url }}
{{- end }}
{{- end }}

{{- /* Restricted, as the Pod Security Standards have it. The images carry a numeric user. */}}
{{- define "ninefold.podSecurityContext" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "ninefold.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* What the operator does in a namespace that it watches, and no more. Nothing here names Secrets. */}}
{{- define "ninefold.rules" -}}
- apiGroups: [ninefold.dev]
  resources: [agents, optimizationpolicies, optimizationruns, tracebackends]
  verbs: [get, list, watch]
- apiGroups: [ninefold.dev]
  resources: [agents/status, optimizationpolicies/status, optimizationruns/status, tracebackends/status]
  verbs: [patch]
- apiGroups: [ninefold.dev] # runs that a policy starts, and the history that is kept of them
  resources: [optimizationruns]
  verbs: [create, delete]
- apiGroups: [""] # versions, pointer, ledger, inputs of runs; components that Git keeps in ConfigMaps
  resources: [configmaps]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""] # termination messages
  resources: [pods]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}
