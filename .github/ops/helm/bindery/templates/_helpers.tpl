{{- define "bindery.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "bindery.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "bindery.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "bindery.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "bindery.selector" -}}
app.kubernetes.io/name: {{ include "bindery.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bindery.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "bindery.selector" . }}
{{- end }}

{{- define "bindery.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bindery.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What no server would start with, or what several servers would lose tasks by. */}}
{{- define "bindery.check" -}}
{{- if not (or .Values.keys.existingSecret .Values.insecure) }}
{{- fail "keys.existingSecret: name a Secret with keys, or say insecure: true if everyone who reaches the port may use it" }}
{{- end }}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) (ne .Values.role "all") }}
{{- if not .Values.store.url }}
{{- fail "store.url: several servers need one Redis, such as redis://redis:6379/0" }}
{{- end }}
{{- if not .Values.blob.url }}
{{- fail "blob.url: several servers need storage that they share, such as s3://bucket/prefix" }}
{{- end }}
{{- end }}
{{- end }}
