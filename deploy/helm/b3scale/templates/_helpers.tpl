{{/* The name of the chart in labels. */}}
{{- define "b3scale.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of all objects, for 63 characters are all that some may have: names of ours add at most 11. */}}
{{- define "b3scale.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "b3scale.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "b3scale.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes while a release lives: a Deployment refuses others. */}}
{{- define "b3scale.selector" -}}
app.kubernetes.io/name: {{ include "b3scale.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "b3scale.labels" -}}
{{ include "b3scale.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The secret that pods read, and whether there is any. */}}
{{- define "b3scale.secretName" -}}
{{- default (include "b3scale.fullname" .) .Values.secret.existingSecret -}}
{{- end -}}

{{/* Lines "SETTING key value" of the secrets that are in use; value is what the chart's own secret has. */}}
{{- define "b3scale.secrets" -}}
{{- $s := .Values.secret -}}
{{- $postgresql := eq .Values.database.type "postgresql" -}}
{{- $there := not (empty $s.existingSecret) -}}
{{- if and $postgresql $s.keys.databaseURL (or $there $s.databaseURL) }}
B3SCALE_DB_URL: {{ $s.keys.databaseURL }}
{{- end }}
{{- if and $postgresql .Values.database.postgresql.listen $s.keys.databaseListenURL (or $there $s.databaseListenURL) }}
B3SCALE_DB_LISTEN_URL: {{ $s.keys.databaseListenURL }}
{{- end }}
{{- if and $s.keys.jwtSecret (or $there $s.jwtSecret) }}
B3SCALE_API_JWT_SECRET: {{ $s.keys.jwtSecret }}
{{- end }}
{{- if and $s.keys.jwtSecondarySecret (or $there $s.jwtSecondarySecret) }}
B3SCALE_API_JWT_SECONDARY_SECRET: {{ $s.keys.jwtSecondarySecret }}
{{- end }}
{{- end -}}

{{/* Refuses what would lose meetings or not start. */}}
{{- define "b3scale.check" -}}
{{- $s := .Values.secret -}}
{{- $own := or $s.databaseURL $s.databaseListenURL $s.jwtSecret $s.jwtSecondarySecret -}}
{{- if and $own $s.existingSecret -}}
{{- fail "secret: set either existingSecret or values of secrets, not both" -}}
{{- end -}}
{{- if eq .Values.database.type "sqlite" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "replicas: SQLite is for one; set database.type to postgresql for more" -}}
{{- end -}}
{{- if or $s.databaseURL $s.databaseListenURL .Values.database.postgresql.listen -}}
{{- fail "database.type is sqlite, but something is set for PostgreSQL" -}}
{{- end -}}
{{- else if not (or $s.existingSecret $s.databaseURL) -}}
{{- fail "database.type is postgresql: set secret.existingSecret, or secret.databaseURL" -}}
{{- end -}}
{{- if and .Values.database.postgresql.listen (not (or $s.existingSecret $s.databaseListenURL)) -}}
{{- fail "database.postgresql.listen: set secret.existingSecret, or secret.databaseListenURL" -}}
{{- end -}}
{{- if and $s.jwtSecondarySecret (not $s.keys.jwtSecondarySecret) -}}
{{- fail "secret.jwtSecondarySecret: set secret.keys.jwtSecondarySecret, too" -}}
{{- end -}}
{{- if lt (int .Values.drain.gracePeriodSeconds) (int (add .Values.drain.sleepSeconds 25)) -}}
{{- fail "drain.gracePeriodSeconds: at least 25 more than drain.sleepSeconds, or requests are cut off" -}}
{{- end -}}
{{- if and .Values.recordings.enabled (gt (int .Values.replicas) 1) (not .Values.recordings.existingClaim) (not (has "ReadWriteMany" .Values.recordings.accessModes)) -}}
{{- fail "recordings.accessModes: several replicas need ReadWriteMany" -}}
{{- end -}}
{{- end -}}
