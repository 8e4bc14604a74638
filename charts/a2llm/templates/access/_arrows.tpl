{{/*
Who may open a connection to whom, at which ports (none: all). This table is all there is: access/network.yaml makes both halves of every arrow.
A name that ends in From or To is somebody outside the release, whose peers are that value of `networkPolicy`; any other is a component.
*/}}
{{- define "a2llm.arrows" -}}
{{- $redis := ternary "redis" "redisTo" .Values.redis.inChart.enabled -}}
{{- $redisPorts := include "a2llm.redisAddress" . | include "a2llm.portsOf" -}}
{{- if .Values.redis.sentinel }}{{ $redisPorts = printf "%s,%v" $redisPorts .Values.redis.serverPort }}{{ end -}}
{{- $rayRedisPort := include "a2llm.rayRedisAddress" . | include "a2llm.portsOf" -}}
{{- $kafka := ternary "kafka" "kafkaTo" .Values.kafka.inChart.enabled -}}
{{- $kafkaPorts := include "a2llm.kafkaServers" . | include "a2llm.portsOf" -}}
{{- $sql := not .Values.database.sqlite.enabled -}}
- {from: gatewayFrom, to: gateway, ports: [8080]}
- {from: test, to: gateway, ports: [8080]}
- {from: gateway, to: inference, ports: [50051]}
- {from: gateway, to: {{ $redis }}, ports: [{{ $redisPorts }}]}
- {from: gateway, to: {{ $kafka }}, ports: [{{ $kafkaPorts }}]}
- {from: recorder, to: {{ $kafka }}, ports: [{{ $kafkaPorts }}]}
{{- if $sql }}
- {from: recorder, to: databaseTo, ports: [{{ .Values.database.port }}]}
{{- if or .Values.database.readOnlySecret.name .Values.database.transcriptSecret.name }}
- {from: gateway, to: databaseTo, ports: [{{ .Values.database.port }}]}
{{- end }}
{{- if .Values.recorder.migrations }}
- {from: migrations, to: databaseTo, ports: [{{ .Values.database.port }}]}
{{- end }}
{{- end }}
{{- if .Values.kafka.createTopics }}
- {from: topics, to: {{ $kafka }}, ports: [{{ $kafkaPorts }}]}
{{- end }}
{{- if and .Values.kafka.inChart.enabled (eq .Values.recorder.autoscaling.mode "keda") }}
- {from: kedaFrom, to: kafka, ports: [{{ $kafkaPorts }}]}
{{- end }}

{{- /* Ray's nodes speak to each other on many ports. The autoscaler beside the head asks the API server; KubeRay asks the head. */}}
{{- if eq .Values.inference.mode "ray" }}
- {from: head, to: inference}
- {from: inference, to: head}
- {from: inference, to: inference}
- {from: head, to: {{ $redis }}, ports: [{{ $rayRedisPort }}]}
- {from: inference, to: {{ $redis }}, ports: [{{ $rayRedisPort }}]}
{{- range list "head" "bounds" "farewell" }}
- {from: {{ . }}, to: kubernetesTo, ports: [443, 6443]}
{{- end }}
- {from: farewell, to: {{ $redis }}, ports: [{{ $rayRedisPort }}]}
- {from: kuberayFrom, to: head, ports: [8265]}
{{- end }}

{{- /* Traces. */}}
{{- $tracing := list "gateway" "inference" }}
{{- if include "a2llm.hasCollector" . }}
{{- range $tracing }}
- {from: {{ . }}, to: collector, ports: [4318]}
{{- end }}
- {from: collector, to: tracesTo, ports: [{{ regexFind "[0-9]+$" .Values.telemetry.collector.tracesEndpoint }}]}
{{- else if .Values.telemetry.otlpEndpoint }}
{{- range $tracing }}
- {from: {{ . }}, to: tracesTo, ports: [{{ include "a2llm.otlpPort" $ }}]}
{{- end }}
{{- end }}

{{- /* Numbers. */}}
{{- range $component, $ports := include "a2llm.metricsPorts" . | fromYaml }}
- {from: monitoringFrom, to: {{ $component }}, ports: {{ values $ports | sortAlpha | toJson }}}
{{- end }}
{{- end }}

{{- define "a2llm.otlpPort" -}}
{{- $endpoint := urlParse .Values.telemetry.otlpEndpoint -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $endpoint.host) | default (ternary "443" "80" (eq $endpoint.scheme "https")) -}}
{{- end }}

{{/* {component: {port name: port}} of what Prometheus asks. */}}
{{- define "a2llm.metricsPorts" -}}
gateway: {http: 8080}
recorder: {metrics: 9465}
{{- if eq .Values.inference.mode "ray" }}
head: {metrics: 8080}
inference: {metrics: 8080, replica-metrics: 9470, haproxy-metrics: 9101, triton-metrics: 8002}
{{- else }}
inference: {metrics: 9464}
{{- end }}
{{- if include "a2llm.hasCollector" . }}
collector: {metrics: 8888}
{{- end }}
{{- end }}

{{/* The components that this release has, as a list. */}}
{{- define "a2llm.components" -}}
- gateway
- inference
- recorder
{{- if eq .Values.inference.mode "ray" }}
- head
{{- end }}
{{- if .Values.redis.inChart.enabled }}
- redis
{{- end }}
{{- if .Values.kafka.inChart.enabled }}
- kafka
{{- end }}
{{- if include "a2llm.hasCollector" . }}
- collector
{{- end }}
{{- end }}

{{/* Those, and what runs once. */}}
{{- define "a2llm.parties" -}}
{{ include "a2llm.components" . }}
- test
{{- if and .Values.recorder.migrations (not .Values.database.sqlite.enabled) }}
- migrations
{{- end }}
{{- if .Values.kafka.createTopics }}
- topics
{{- end }}
{{- if eq .Values.inference.mode "ray" }}
- bounds
- farewell
{{- end }}
{{- end }}

{{/* One end of an arrow as peers of a policy: (list $ "name"). Nothing: everywhere. */}}
{{- define "a2llm.peers" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- if or (hasSuffix "From" $name) (hasSuffix "To" $name) }}
{{- with get $root.Values.networkPolicy $name }}{{ toYaml . }}{{ end }}
{{- else -}}
- podSelector:
    matchLabels:
      {{- include "a2llm.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* One half of an arrow: (list $ "from" arrow), seen by the other end. */}}
{{- define "a2llm.half" -}}
{{- $side := index . 1 -}}{{- $arrow := index . 2 -}}
{{- $peers := include "a2llm.peers" (list (index . 0) (get $arrow $side)) | fromYamlArray -}}
{{- $rule := dict -}}
{{- if $peers }}{{ $_ := set $rule $side $peers }}{{ end -}}
{{- $ports := list -}}
{{- range $arrow.ports | default list | uniq }}{{ $ports = append $ports (dict "port" (int .) "protocol" "TCP") }}{{ end -}}
{{- if $ports }}{{ $_ := set $rule "ports" $ports }}{{ end -}}
- {{ toYaml $rule | nindent 2 | trim }}
{{- end }}
