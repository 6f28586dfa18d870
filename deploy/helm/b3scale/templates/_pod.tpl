{{- define "b3scale.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote -}}
{{- end -}}

{{/* The environment of b3scaled: what the chart knows, then what is set. */}}
{{- define "b3scale.env" -}}
{{- $secrets := include "b3scale.secrets" . | fromYaml -}}
{{- if eq .Values.database.type "sqlite" -}}
- name: B3SCALE_DB_URL
  value: sqlite:/var/lib/b3scale/b3scale.db
{{- else -}}
- name: B3SCALE_DB_URL # the image sets one
  value: ""
{{- end }}
- name: B3SCALE_LISTEN_HTTP
  value: ":42353"
- name: B3SCALE_METRICS_LISTEN
  value: {{ printf ":%d" (int .Values.metrics.port) | quote }}
{{- range $name, $key := $secrets }}
- name: {{ $name }}_FILE
  value: /etc/b3scale/secrets/{{ $key }}
{{- end }}
{{- if .Values.recordings.enabled }}
- name: B3SCALE_RECORDINGS_PUBLISHED_PATH
  value: {{ printf "%s/published" .Values.recordings.mountPath | quote }}
- name: B3SCALE_RECORDINGS_UNPUBLISHED_PATH
  value: {{ printf "%s/unpublished" .Values.recordings.mountPath | quote }}
- name: B3SCALE_RECORDINGS_INBOX_PATH
  value: {{ printf "%s/inbox" .Values.recordings.mountPath | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end -}}
