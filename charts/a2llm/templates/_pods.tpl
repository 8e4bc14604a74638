{{/*
What pods have in common: pod security `restricted`, a read-only root file system, settings as environment.
*/}}

{{/* Of a pod; (dict "root" $ "account" "gateway" "pod" values): the component whose ServiceAccount it has (without one: default, which may do
     nothing either), and extra fields. "token": mount the account's token; "uid": where the image's user is no number. */}}
{{- define "a2llm.podSpec" -}}
{{- $uid := int (default 0 .uid) -}}
serviceAccountName: {{ if .account }}{{ include "a2llm.component" (list .root .account) }}{{ else }}default{{ end }}
automountServiceAccountToken: {{ default false .token }}
# Without this the kubelet would set variables like A2_GATEWAY_PORT for a Service of that name, and the gateway reads those.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- if $uid }}
  runAsUser: {{ $uid }}
  runAsGroup: {{ $uid }}
  {{- end }}
  fsGroup: {{ default 10001 $uid }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .pod }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Image and security of a container; (list $ image "suffix"), as for a2llm.image. */}}
{{- define "a2llm.container" -}}
{{- $root := index . 0 -}}
image: {{ include "a2llm.image" . }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "a2llm.containerSecurity" . | nindent 2 }}
{{- end }}

{{- define "a2llm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Settings as variables: (list "A2_GATEWAY_" map). camelCase becomes CAMEL_CASE; null is left to the program's default; what is no text is
     JSON, which pydantic reads, and which keeps Helm from writing 12582912 as 1.2582912e+07. */}}
{{- define "a2llm.env" -}}
{{- $prefix := index . 0 -}}
{{- range $name, $value := index . 1 }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $prefix }}{{ $name | snakecase | upper }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* A variable from a Secret: (list "NAME" {name, key}). Nothing where the Secret has no name. */}}
{{- define "a2llm.secretEnv" -}}
{{- $secret := index . 1 }}
{{- if $secret.name }}
- name: {{ index . 0 }}
  valueFrom: {secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.key }}}}
{{- end }}
{{- end }}

{{/* All variables of a container: (list "YAML of the chart's" extraEnv). One of the operator's own counts instead of the chart's. */}}
{{- define "a2llm.allEnv" -}}
{{- $own := index . 1 -}}
{{- $names := list }}{{ range $own }}{{ $names = append $names .name }}{{ end -}}
{{- $kept := list }}{{ range index . 0 | fromYamlArray }}{{ if not (has .name $names) }}{{ $kept = append $kept . }}{{ end }}{{ end -}}
{{- concat $kept $own | toYaml -}}
{{- end }}

{{/* Pods are spread over zones and nodes, as far as there are any: (list $ "component"). */}}
{{- define "a2llm.spread" -}}
{{- include "a2llm.spreadBy" (include "a2llm.selector" .) -}}
{{- end }}

{{/* The same for the pods that have these labels. */}}
{{- define "a2llm.spreadBy" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $ | nindent 8 }}
  {{- end }}
{{- end }}
