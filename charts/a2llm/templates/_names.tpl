{{/*
Names, labels, images: what every object has. Called with (list $ "component"), or with $ alone where no component is meant.
*/}}

{{/* At most 24 characters: with -inference-VERSION and what KubeRay adds, names stay below 63. */}}
{{- define "a2llm.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $whole .Values.fullnameOverride | trunc 24 | trimSuffix "-" -}}
{{- end }}

{{/* Of a component: RELEASE-a2llm-gateway. */}}
{{- define "a2llm.component" -}}
{{- $root := index . 0 -}}
{{ include "a2llm.fullname" $root }}-{{ index . 1 }}
{{- end }}

{{/* What selects a component's pods, and all that pods are labelled with: a version number there would make a new chart start every model
     anew. Not app.kubernetes.io/name, which KubeRay writes on Ray's pods when it is missing. */}}
{{- define "a2llm.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/part-of: a2llm
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "a2llm.labels" -}}
{{- $root := index . 0 -}}
{{ include "a2llm.selector" . }}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* name, namespace, labels of an object; (list $ "component" "suffix of the name, if any"). */}}
{{- define "a2llm.metadata" -}}
{{- $root := index . 0 -}}
{{- $suffix := "" }}{{ if gt (len .) 2 }}{{ $suffix = printf "-%s" (index . 2) }}{{ end -}}
name: {{ include "a2llm.component" . }}{{ $suffix }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "a2llm.labels" . | nindent 2 }}
{{- end }}

{{/* (list $ image "suffix of our tag, if any"): a repository that names its registry is taken as it is; ours is below image.registry. A digest
     beats a tag, and a tag of one's own is taken as it is. */}}
{{- define "a2llm.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $suffix := "" }}{{ if gt (len .) 2 }}{{ $suffix = index . 2 }}{{ end -}}
{{- if contains "/" $image.repository }}{{ $image.repository }}{{ else }}{{ $root.Values.image.registry }}/{{ $image.repository }}{{ end -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default (print (default $root.Chart.AppVersion $root.Values.image.tag) $suffix) $image.tag }}{{ end -}}
{{- end }}
