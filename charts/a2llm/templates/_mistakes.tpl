{{/*
What the schema cannot say: values that only make sense together. All mistakes are told at once.
*/}}
{{- define "a2llm.mistakes" -}}
{{- $v := .Values -}}
{{- $versions := include "a2llm.versions" . | fromJson -}}
{{- if eq (not $v.redis.address) (not $v.redis.inChart.enabled) }}
- redis: give `redis.address`, or switch on `redis.inChart.enabled`; not both
{{- end }}
{{- if and $v.redis.sentinel $v.redis.cluster }}
- redis: `sentinel` and `cluster` exclude each other
{{- end }}
{{- $many := or $v.redis.sentinel $v.redis.cluster }}
{{- if and (contains "," $v.redis.address) (not $many) }}
- redis: several addresses are Sentinels (`sentinel`) or nodes of a `cluster`
{{- end }}
{{- if and $many $v.redis.inChart.enabled }}
- redis: `inChart` is one server, without `sentinel` and `cluster`
{{- end }}
{{- if and $many (eq $v.inference.mode "ray") (not $v.redis.rayAddress) }}
- redis: Ray's heads know neither Sentinels nor clusters; give `rayAddress`
{{- end }}
{{- if and (or $v.redis.caSecret.name $v.redis.clientSecret.name) (not $v.redis.tls) }}
- redis: `caSecret` and `clientSecret` are of no use without `tls`
{{- end }}
{{- if and $v.telemetry.caSecret.name (not (hasPrefix "https://" $v.telemetry.otlpEndpoint)) }}
- telemetry: `caSecret` is of no use without an `otlpEndpoint` that begins with https://
{{- end }}
{{- if and $v.redis.username (not $v.redis.passwordSecret.name) }}
- redis: `username` needs `passwordSecret`
{{- end }}
{{- if eq (not $v.kafka.servers) (not $v.kafka.inChart.enabled) }}
- kafka: give `kafka.servers`, or switch on `kafka.inChart.enabled`; not both
{{- end }}
{{- if ne (eq $v.kafka.mechanism "none") (empty $v.kafka.credentialsSecret.name) }}
- kafka: `mechanism` and `credentialsSecret` go together
{{- end }}
{{- if and (or $v.kafka.caSecret.name $v.kafka.clientSecret.name) (not $v.kafka.tls) }}
- kafka: `caSecret` and `clientSecret` are of no use without `tls`
{{- end }}
{{- if eq (not $v.database.secret.name) (not $v.database.sqlite.enabled) }}
- database: name `database.secret`, or switch on `database.sqlite.enabled`; not both
{{- end }}
{{- if and $v.database.sqlite.enabled (or (gt (int $v.recorder.replicas) 1) (ne $v.recorder.autoscaling.mode "none")) }}
- database: SQLite has one writer, so one recorder
{{- end }}
{{- if not (hasKey $versions $v.inference.active) }}
- inference: `active` is {{ $v.inference.active | quote }}, but `versions` has {{ keys $versions | sortAlpha | join ", " }}
{{- end }}
{{- with $v.inference.canary }}
{{- if and .version (or (not (hasKey $versions .version)) (eq .version $v.inference.active)) }}
- inference: `canary.version` is {{ .version | quote }}; it must be one of `versions`, and not the active one
{{- end }}
{{- if ne (not .version) (not (or .share .tenants)) }}
- inference: `canary.version` goes with a `share` above 0, or `tenants`
{{- end }}
{{- end }}
{{- range $name, $version := $versions }}
{{- if and (eq $v.inference.mode "ray") (not $version.workerGroups) }}
- inference: version {{ $name }} has no worker group
{{- end }}
{{- range $group, $own := $version.workerGroups }}
{{- if gt (int $own.min) (int $own.max) }}
- inference: worker group {{ $group }} of version {{ $name }} has more workers at the least than at the most
{{- end }}
{{- end }}
{{- $device := default "" $version.settings.device }}
{{- if eq $device "auto" }}
- inference: version {{ $name }}: device `auto` would speak on the CPU where a GPU is not seen; leave it null
{{- else if and $device (eq $v.inference.mode "ray") }}
{{- range $group, $own := $version.workerGroups }}
{{- if ne (hasPrefix "cuda" $device) (gt (int $own.gpus) 0) }}
- inference: version {{ $name }} says device {{ $device }}, but worker group {{ $group }} has {{ $own.gpus }} GPUs; leave it null
{{- end }}
{{- end }}
{{- else if and $device (ne (hasPrefix "cuda" $device) (gt (int $v.inference.standalone.gpus) 0)) }}
- inference: version {{ $name }} says device {{ $device }}, but `standalone.gpus` is {{ $v.inference.standalone.gpus }}; leave it null
{{- end }}
{{- if le (float64 $version.settings.drainS) 0.0 }}
- inference: version {{ $name }} needs time to drain
{{- end }}
{{- end }}
{{- range $part := list "gateway" "recorder" }}
{{- $autoscaling := (get $v $part).autoscaling }}
{{- if gt (int $autoscaling.min) (int $autoscaling.max) }}
- {{ $part }}: `autoscaling.min` is above `autoscaling.max`
{{- end }}
{{- end }}
{{- include "a2llm.storageMistakes" . }}
{{- if and $v.ingress.enabled $v.httpRoute.enabled }}
- choose one way in: `ingress` or `httpRoute`
{{- end }}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}
- httpRoute: `parentRefs` names no Gateway
{{- end }}
{{- end }}

{{/* A StatefulSet's volume keeps its size and class: the API server would refuse the upgrade half-way. Known where there is a cluster to ask. */}}
{{- define "a2llm.storageMistakes" -}}
{{- range $name := list "redis" "kafka" }}
{{- $wanted := (get $.Values $name).inChart }}
{{- if $wanted.enabled }}
{{- $live := include "a2llm.live" (list $ "apps/v1" "StatefulSet" (include "a2llm.component" (list $ $name))) | fromJson }}
{{- range dig "spec" "volumeClaimTemplates" list $live }}
{{- if or (ne .spec.resources.requests.storage $wanted.storage) (ne (default "" .spec.storageClassName) $wanted.storageClass) }}
- {{ $name }}: the volume of `inChart` is {{ .spec.resources.requests.storage }}{{ with .spec.storageClassName }} of class {{ . }}{{ end }} and stays so; give `storage` and `storageClass` as they are, or delete the StatefulSet first
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
