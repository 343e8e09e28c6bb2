{{/* Name of the objects. It does not depend on the release, so that commands of the documentation find them. */}}
{{- define "polytrace.name" -}}
{{- default "polytrace" .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "polytrace.serviceAccountName" -}}
{{- default (include "polytrace.name" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* A value as the agent reads it. Helm has each number as a floating-point number. */}}
{{- define "polytrace.text" -}}
{{- if kindIs "string" . -}}
{{- . -}}
{{- else if kindIs "slice" . -}}
{{- join "," . -}}
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}
