{{/*
Who is where. Every port and address is said here once; called with $.
*/}}

{{- define "a2llm.redisAddress" -}}
{{- if .Values.redis.inChart.enabled }}{{ include "a2llm.component" (list . "redis") }}:6379{{ else }}{{ .Values.redis.address }}{{ end -}}
{{- end }}

{{/* Where Ray's heads keep their state. */}}
{{- define "a2llm.rayRedisAddress" -}}
{{ default (include "a2llm.redisAddress" .) .Values.redis.rayAddress }}
{{- end }}

{{- define "a2llm.rayRedisUrl" -}}{{ include "a2llm.redisScheme" . }}://{{ include "a2llm.rayRedisAddress" . }}{{- end }}

{{- define "a2llm.redisScheme" -}}{{ ternary "rediss" "redis" .Values.redis.tls }}{{- end }}

{{/* Ports of an address or of several, by commas. */}}
{{- define "a2llm.portsOf" -}}
{{- range $index, $one := splitList "," . }}{{ if $index }},{{ end }}{{ regexFind "[0-9]+$" $one }}{{ end -}}
{{- end }}

{{/* Variables of the gateways' Redis. Secrets are files, which change in a running pod when they are rotated. */}}
{{- define "a2llm.redisEnv" -}}
{{- $redis := .Values.redis }}
- {name: A2_GATEWAY_REDIS_URL, value: {{ printf "%s://%s/%v" (include "a2llm.redisScheme" .) (include "a2llm.redisAddress" .) $redis.database | quote }}}
{{- with $redis.sentinel }}
- {name: A2_GATEWAY_REDIS_SENTINEL, value: {{ . | quote }}}
{{- end }}
{{- if $redis.cluster }}
- {name: A2_GATEWAY_REDIS_CLUSTER, value: "true"}
{{- end }}
{{- with $redis.username }}
- {name: A2_GATEWAY_REDIS_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- if $redis.passwordSecret.name }}
- {name: A2_GATEWAY_REDIS_PASSWORD_FILE, value: /etc/redis/{{ $redis.passwordSecret.key }}}
{{- end }}
{{- if $redis.caSecret.name }}
- {name: A2_GATEWAY_REDIS_CA_FILE, value: /etc/redis-ca/{{ $redis.caSecret.key }}}
{{- end }}
{{- if $redis.clientSecret.name }}
- {name: A2_GATEWAY_REDIS_CERT_FILE, value: /etc/redis-client/{{ $redis.clientSecret.certKey }}}
- {name: A2_GATEWAY_REDIS_KEY_FILE, value: /etc/redis-client/{{ $redis.clientSecret.keyKey }}}
{{- end }}
{{- end }}

{{/* The files among them: (list $ "mounts" or "volumes" "password too, or empty"). */}}
{{- define "a2llm.redisFiles" -}}
{{- $redis := (index . 0).Values.redis -}}
{{- $files := dict "redis-ca" $redis.caSecret.name "redis-client" $redis.clientSecret.name -}}
{{- if index . 2 }}{{ $_ := set $files "redis" $redis.passwordSecret.name }}{{ end -}}
{{- include "a2llm.secretFiles" (list (index . 1) $files) }}
{{- end }}

{{/* What Ray's own client of Redis reads. */}}
{{- define "a2llm.rayRedisEnv" -}}
{{- with .Values.redis.caSecret }}
{{- if .name }}
- {name: RAY_REDIS_CA_CERT, value: /etc/redis-ca/{{ .key }}}
{{- end }}
{{- end }}
{{- with .Values.redis.clientSecret }}
{{- if .name }}
- {name: RAY_REDIS_CLIENT_CERT, value: /etc/redis-client/{{ .certKey }}}
- {name: RAY_REDIS_CLIENT_KEY, value: /etc/redis-client/{{ .keyKey }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Variables of what looks after Ray's state there, by Ray's own names. Without its Secret it finds no way in, but waits for nobody. */}}
{{- define "a2llm.rayStateEnv" -}}
- {name: RAY_REDIS_ADDRESS, value: {{ include "a2llm.rayRedisUrl" . }}}
{{- with .Values.redis.username }}
- {name: REDIS_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- with .Values.redis.passwordSecret }}
{{- if .name }}
- name: REDIS_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}, optional: true}}
{{- end }}
{{- end }}
{{- include "a2llm.rayRedisEnv" . }}
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
- {name: {{ $prefix }}KAFKA_CA_FILE, value: /etc/kafka-ca/{{ $kafka.caSecret.key }}}
{{- end }}
{{- if ne $kafka.mechanism "none" }}
- {name: {{ $prefix }}KAFKA_MECHANISM, value: {{ $kafka.mechanism }}}
{{- end }}
{{- with $kafka.credentialsSecret }}
{{- include "a2llm.secretEnv" (list (print $prefix "KAFKA_USERNAME") (dict "name" .name "key" .usernameKey)) }}
{{- if .name }}
- {name: {{ $prefix }}KAFKA_PASSWORD_FILE, value: /etc/kafka-credentials/{{ .passwordKey }}}
{{- end }}
{{- end }}
{{- with $kafka.clientSecret }}
{{- if .name }}
- {name: {{ $prefix }}KAFKA_CERT_FILE, value: /etc/kafka-client/{{ .certKey }}}
- {name: {{ $prefix }}KAFKA_KEY_FILE, value: /etc/kafka-client/{{ .keyKey }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Its files: (list $ "mounts" or "volumes"). */}}
{{- define "a2llm.kafkaFiles" -}}
{{- $kafka := (index . 0).Values.kafka -}}
{{- include "a2llm.secretFiles" (list (index . 1) (dict "kafka-ca" $kafka.caSecret.name "kafka-client" $kafka.clientSecret.name
      "kafka-credentials" $kafka.credentialsSecret.name)) }}
{{- end }}

{{/* Who signed the certificate of telemetry.otlpEndpoint: (list $ "mounts" or "volumes"). */}}
{{- define "a2llm.otlpFiles" -}}
{{- include "a2llm.secretFiles" (list (index . 1) (dict "otlp-ca" (index . 0).Values.telemetry.caSecret.name)) }}
{{- end }}

{{/* Secrets as folders below /etc: (list "mounts" or "volumes" {name: Secret, or empty}). */}}
{{- define "a2llm.secretFiles" -}}
{{- $mounts := eq (index . 0) "mounts" -}}
{{- range $name, $secret := index . 1 }}
{{- if and $secret $mounts }}
- {name: {{ $name }}, mountPath: /etc/{{ $name }}, readOnly: true}
{{- else if $secret }}
- {name: {{ $name }}, secret: {secretName: {{ $secret }}}}
{{- end }}
{{- end }}
{{- end }}
