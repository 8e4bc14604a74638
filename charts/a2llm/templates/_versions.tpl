{{/*
Model versions and worker groups: an entry over its defaults.
*/}}

{{/* {name: version} with defaults filled in, as JSON; entries that are null are gone. */}}
{{- define "a2llm.versions" -}}
{{- $versions := dict -}}
{{- range $name, $entry := .Values.inference.versions }}
{{- if not (kindIs "invalid" $entry) }}
{{- $version := mustMergeOverwrite (deepCopy $.Values.inference.versionDefaults) $entry -}}
{{- $groups := dict -}}
{{- range $group, $own := $version.workerGroups }}
{{- if not (kindIs "invalid" $own) }}
{{- $_ := set $groups $group (mustMergeOverwrite (deepCopy $.Values.inference.workerGroupDefaults) $own) -}}
{{- end }}
{{- end }}
{{- $_ := set $version "workerGroups" $groups -}}
{{- $_ := set $versions $name $version -}}
{{- end }}
{{- end }}
{{- toJson $versions -}}
{{- end }}

{{/* Settings of the model's containers, of either host: (list $ version). */}}
{{- define "a2llm.modelEnv" -}}
{{- $root := index . 0 -}}{{- $version := index . 1 -}}
{{- include "a2llm.env" (list "A2_INFERENCE_" $version.settings) }}
- name: A2_INFERENCE_HOST
  value: 0.0.0.0
{{- if $version.weights }}
- name: A2_INFERENCE_MODEL_FOLDER
  value: /weights
{{- end }}
{{- with include "a2llm.otlpEndpoint" $root }}
- name: A2_INFERENCE_OTLP_ENDPOINT
  value: {{ . }}
{{- end }}
{{- end }}

{{/* Of a container that loads the model. */}}
{{- define "a2llm.modelMounts" -}}
{{ include "a2llm.commonMounts" . }}
{{- if .weights }}
- {name: weights, mountPath: /weights, readOnly: true}
{{- end }}
{{- end }}

{{/* Of every container of a version; Ray's head has these alone: it loads no weights, and a volume may be at one node at a time. */}}
{{- define "a2llm.commonMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- with .extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "a2llm.modelVolumes" -}}
{{ include "a2llm.commonVolumes" . }}
{{- with .weights }}
- name: weights
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "a2llm.commonVolumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 2Gi}}
{{- with .extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Resources and GPUs: (list resources {gpus, gpuResource}). */}}
{{- define "a2llm.withGpus" -}}
{{- $resources := deepCopy (index . 0) -}}{{- $wanted := index . 1 -}}
{{- if $wanted.gpus -}}
{{- $_ := set $resources "limits" (merge (dict $wanted.gpuResource $wanted.gpus) (default dict $resources.limits)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end }}

{{/* Labels of a version's pods: (list $ "blue"). */}}
{{- define "a2llm.versionSelector" -}}
{{- include "a2llm.selector" (list (index . 0) "inference") }}
a2llm/version: {{ index . 1 }}
{{- end }}
