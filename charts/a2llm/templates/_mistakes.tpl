{{/*
What the schema cannot say: values that only make sense together. All mistakes are told at once.
*/}}
{{- define "a2llm.mistakes" -}}
{{- $v := .Values -}}
{{- $versions := include "a2llm.versions" . | fromJson -}}
{{- if eq (not $v.redis.address) (not $v.redis.inChart.enabled) }}
- redis: give `redis.address`, or switch on `redis.inChart.enabled`; not both
{{- end }}
{{- if eq (not $v.kafka.servers) (not $v.kafka.inChart.enabled) }}
- kafka: give `kafka.servers`, or switch on `kafka.inChart.enabled`; not both
{{- end }}
{{- if ne (eq $v.kafka.mechanism "none") (empty $v.kafka.credentialsSecret.name) }}
- kafka: `mechanism` and `credentialsSecret` go together
{{- end }}
{{- if and $v.kafka.caSecret.name (not $v.kafka.tls) }}
- kafka: `caSecret` is of no use without `tls`
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
{{- range $name, $version := $versions }}
{{- if and (eq $v.inference.mode "ray") (not $version.workerGroups) }}
- inference: version {{ $name }} has no worker group
{{- end }}
{{- range $group, $own := $version.workerGroups }}
{{- if gt (int $own.min) (int $own.max) }}
- inference: worker group {{ $group }} of version {{ $name }} has more workers at the least than at the most
{{- end }}
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
{{- if and $v.ingress.enabled $v.httpRoute.enabled }}
- choose one way in: `ingress` or `httpRoute`
{{- end }}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}
- httpRoute: `parentRefs` names no Gateway
{{- end }}
{{- end }}
