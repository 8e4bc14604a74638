{{/*
Who is where. Every port and address is said here once; called with $.
*/}}

{{- define "a2llm.redisAddress" -}}
{{- if .Values.redis.inChart.enabled }}{{ include "a2llm.component" (list . "redis") }}:6379{{ else }}{{ .Values.redis.address }}{{ end -}}
{{- end }}

{{/* Ray and the gateways want the scheme; the password comes from the variable before it. */}}
{{- define "a2llm.redisScheme" -}}{{ ternary "rediss" "redis" .Values.redis.tls }}{{- end }}

{{- define "a2llm.redisUrl" -}}
{{- $password := ternary ":$(REDIS_PASSWORD)@" "" (ne .Values.redis.passwordSecret.name "") -}}
{{ include "a2llm.redisScheme" . }}://{{ $password }}{{ include "a2llm.redisAddress" . }}/{{ .Values.redis.database }}
{{- end }}

{{- define "a2llm.kafkaServers" -}}
{{- if .Values.kafka.inChart.enabled }}{{ include "a2llm.component" (list . "kafka") }}:9092{{ else }}{{ .Values.kafka.servers }}{{ end -}}
{{- end }}

{{/* OTLP/HTTP; empty: no traces. */}}
{{- define "a2llm.otlpEndpoint" -}}
{{- if .Values.telemetry.otlpEndpoint }}{{ .Values.telemetry.otlpEndpoint }}
{{- else if include "a2llm.hasCollector" . }}http://{{ include "a2llm.component" (list . "collector") }}:4318{{ end -}}
{{- end }}

{{- define "a2llm.hasCollector" -}}
{{- if and .Values.telemetry.collector.tracesEndpoint (not .Values.telemetry.otlpEndpoint) }}yes{{ end -}}
{{- end }}

{{/* The Service of a model version: (list $ "blue"). */}}
{{- define "a2llm.versionName" -}}{{ include "a2llm.component" (list (index . 0) "inference") }}-{{ index . 1 }}{{- end }}

{{/* Paths that are public: exact ones, and prefixes. What is not here (/metrics, /healthz, /readyz, /local, /debug) stays inside. */}}
{{- define "a2llm.publicPaths" -}}
{{- if .Values.gateway.page }}
- {type: Exact, path: /}
{{- end }}
{{- range concat (list "/v1" "/docs" "/openapi.json" "/avatars") (ternary (list "/assets" "/lib" "/examples") list .Values.gateway.page) }}
- {type: Prefix, path: {{ . }}}
{{- end }}
{{- end }}

{{/* Environment variables of the broker's access: (list $ "PREFIX_"). */}}
{{- define "a2llm.kafkaEnv" -}}
{{- $root := index . 0 -}}{{- $prefix := index . 1 -}}{{- $kafka := $root.Values.kafka }}
- {name: {{ $prefix }}KAFKA_SERVERS, value: {{ include "a2llm.kafkaServers" $root | quote }}}
{{- if $kafka.tls }}
- {name: {{ $prefix }}KAFKA_TLS, value: "true"}
{{- end }}
{{- if $kafka.caSecret.name }}
- {name: {{ $prefix }}KAFKA_CA_FILE, value: /etc/kafka/{{ $kafka.caSecret.key }}}
{{- end }}
{{- if ne $kafka.mechanism "none" }}
- {name: {{ $prefix }}KAFKA_MECHANISM, value: {{ $kafka.mechanism }}}
{{- end }}
{{- with $kafka.credentialsSecret }}
{{- include "a2llm.secretEnv" (list (print $prefix "KAFKA_USERNAME") (dict "name" .name "key" .usernameKey)) }}
{{- include "a2llm.secretEnv" (list (print $prefix "KAFKA_PASSWORD") (dict "name" .name "key" .passwordKey)) }}
{{- end }}
{{- end }}

{{- define "a2llm.kafkaMount" -}}
{{- if .Values.kafka.caSecret.name }}
- {name: kafka-ca, mountPath: /etc/kafka, readOnly: true}
{{- end }}
{{- end }}

{{- define "a2llm.kafkaVolume" -}}
{{- with .Values.kafka.caSecret }}
{{- if .name }}
- {name: kafka-ca, secret: {secretName: {{ .name }}}}
{{- end }}
{{- end }}
{{- end }}
