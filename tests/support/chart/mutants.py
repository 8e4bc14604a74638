"""What tests/bench/mutate_chart.py breaks: a file of the chart, a text in it, and what becomes of it. Grouped by what it hits."""

from typing import NamedTuple

T = "templates/"
GATEWAY, RECORDER = f"{T}gateway/deployment.yaml", f"{T}recorder/deployment.yaml"
RAY, WORKER = f"{T}inference/_ray.tpl", f"{T}inference/rayservice.yaml"
LIVE = f"{T}_live.tpl"
ADDRESSES, STANDALONE, PODS, ARROWS = f"{T}_addresses.tpl", f"{T}inference/standalone.yaml", f"{T}_pods.tpl", f"{T}access/_arrows.tpl"
COLLECTOR, REDIS, KAFKA = f"{T}observability/collector.yaml", f"{T}data/redis.yaml", f"{T}data/kafka.yaml"


class Mutant(NamedTuple):
    """`old` stands in the file; its first place becomes `new`."""

    file: str
    old: str
    new: str


MUTANTS = tuple(
    Mutant(*each)
    for each in (
        # ports
        (GATEWAY, "containerPort: 8080", "containerPort: 8081"),
        (GATEWAY, 'A2_GATEWAY_PORT, value: "8080"', 'A2_GATEWAY_PORT, value: "8090"'),
        (GATEWAY, ":50051", ":50052"),
        (f"{T}gateway/service.yaml", "targetPort: http,", "targetPort: web,"),
        (f"{T}inference/service.yaml", "port: 50051", "port: 50052"),
        (WORKER, "{name: serve, port: 50051}", "{name: grpc, port: 50051}"),
        (WORKER, "- {name: client, containerPort: 10001}", "- {name: serve, containerPort: 8000}"),
        (WORKER, "{name: grpc, containerPort: 50051}", "{name: grpc, containerPort: 50050}"),
        (RAY, "  port: 50051", "  port: 9000"),
        (RAY, "--http-port=8010", "--http-port=8000"),
        (RAY, "--metrics-port=8002", "--metrics-port=8003"),
        (RAY, "value: 127.0.0.1:8001", "value: 127.0.0.1:8000"),
        (RAY, "{name: triton-http, containerPort: 8010}", "{name: triton-http, containerPort: 8000}"),
        (RECORDER, 'METRICS_PORT, value: "9465"', 'METRICS_PORT, value: "9464"'),
        (ADDRESSES, '"collector") }}:4318', '"collector") }}:4317'),
        (ADDRESSES, '"redis") }}:6379', '"redis") }}:6380'),
        (KAFKA, '(list . "kafka" 9092)', '(list . "kafka" 9093)'),
        (f"{T}gateway/route.yaml", "port: 80}\n    # REST", "port: 8080}\n    # REST"),
        (f"{T}gateway/route.yaml", "port: {name: http}", "port: {name: web}"),
        # selectors and labels
        (GATEWAY, '"a2llm.selector" (list . "gateway") | nindent 6', '"a2llm.selector" (list . "recorder") | nindent 6'),
        (f"{T}gateway/service.yaml", '"a2llm.selector" (list . "gateway")', '"a2llm.selector" (list . "inference")'),
        (f"{T}gateway/disruption.yaml", '"a2llm.selector" (list . "gateway")', '"a2llm.selector" (list . "")'),
        (f"{T}inference/service.yaml", '"a2llm.versionSelector" (list $root $name)', '"a2llm.selector" (list $root "inference")'),
        (WORKER, '"a2llm.selector" (list $root "inference") | nindent 14', '"a2llm.labels" (list $root "inference") | nindent 14'),
        (f"{T}_names.tpl", "app.kubernetes.io/component: {{ . }}", "app.kubernetes.io/part: {{ . }}"),
        (PODS, '(include "a2llm.selector" .)', '(include "a2llm.selector" (list (index . 0) "other"))'),
        (
            WORKER,
            'include "a2llm.spreadBy" (include "a2llm.versionSelector" (list $root $name))',
            'include "a2llm.spread" (list $root "head")',
        ),
        (f"{T}observability/monitors.yaml", "port: {{ $port }}", "port: x-{{ $port }}"),
        # probes
        (GATEWAY, "readinessProbe: {httpGet: {path: /readyz", "readinessProbe: {httpGet: {path: /healthz"),
        (GATEWAY, "livenessProbe: {httpGet: {path: /healthz", "livenessProbe: {httpGet: {path: /readyz"),
        (RECORDER, "startupProbe:", "# startupProbe:"),
        (RAY, "startupProbe: {httpGet: {path: /v2/models/a2llm/ready", "startupProbe: {httpGet: {path: /v2/health/ready"),
        (RAY, "(add $group.startupSeconds 4) 5", "(add $group.startupSeconds 4) 50"),
        (WORKER, "{path: /-/healthz, port: serve}", "{path: /-/healthz, port: metrics}"),
        (STANDALONE, "readinessProbe: {grpc: {port: 50051}", "readinessProbe: {tcpSocket: {port: 50051}"),
        (COLLECTOR, "livenessProbe: {httpGet: {path: /, port: health}", "livenessProbe: {httpGet: {path: /, port: otlp-grpc}"),
        # limits and resources
        (GATEWAY, "{{- toYaml $gateway.resources | nindent 12 }}", '{{- toYaml (omit $gateway.resources "limits") | nindent 12 }}'),
        (f"{T}_versions.tpl", '{{- $_ := set $resources "limits"', '{{- $_ := set $resources "claims"'),
        (REDIS, "{{- toYaml $redis.resources | nindent 12 }}", "{}"),
        (GATEWAY, "emptyDir: {sizeLimit: 256Mi}", "emptyDir: {}"),
        ("values.yaml", "memory: 128Mi}\n    limits: {memory: 256Mi}", "memory: 512Mi}\n    limits: {memory: 256Mi}"),
        # security
        (PODS, "runAsNonRoot: true", "runAsNonRoot: false"),
        (PODS, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        (PODS, "capabilities: {drop: [ALL]}", "capabilities: {drop: [NET_RAW]}"),
        (PODS, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        (PODS, "seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Unconfined}"),
        (PODS, "{{ default false .token }}", "{{ default true .token }}"),
        (PODS, "enableServiceLinks: false", "enableServiceLinks: true"),
        (WORKER, "authOptions: {mode: token}", "authOptions: {mode: disabled}"),
        (REDIS, '"uid" 999', '"uid" 0'),
        ("values.yaml", "docker.io/apache/kafka, tag: 4.1.0", 'docker.io/apache/kafka, tag: "latest"'),
        # names of metrics
        (f"{T}gateway/scaling.yaml", "sum(a2_gateway_sessions{", "sum(a2_gateway_sockets{"),
        (f"{T}gateway/scaling.yaml", "a2_gateway_loop_lag_seconds_bucket", "a2_gateway_loop_lag_ms_bucket"),
        (f"{T}gateway/scaling.yaml", "metric: {name: a2_gateway_sessions}", "metric: {name: a2_sessions}"),
        ("files/rules/slo.yaml", "rate(a2_gateway_underruns_total[5m])", "rate(a2_gateway_underrun_total[5m])"),
        ("files/rules/operation.yaml", "a2:slots_speaking:ratio > 0.9", "a2:slots_speaking:share > 0.9"),
        ("files/dashboards/service.json", "sum(a2_gateway_sessions", "sum(a2_gateway_session"),
        # names of variables
        (ADDRESSES, "KAFKA_SERVERS", "KAFKA_SERVER"),
        (ADDRESSES, "KAFKA_TLS", "KAFKA_SSL"),
        (ADDRESSES, "/etc/kafka-ca/{{", "/etc/tls/{{"),
        (ADDRESSES, "KAFKA_PASSWORD_FILE, value: /etc/kafka-credentials/", "KAFKA_PASSWORD_FILE, value: /etc/kafka/"),
        (ADDRESSES, "KAFKA_CERT_FILE", "KAFKA_CERTIFICATE_FILE"),
        (f"{T}recorder/scaling.yaml", "{parameter: cert, name: {{ .name }}", "{parameter: certificate, name: {{ .name }}"),
        (ADDRESSES, "secretName: {{ $secret }}", "secretName: kafka-certificates"),
        (f"{T}recorder/scaling.yaml", "kind: TriggerAuthentication", "kind: TriggerAuthentications"),
        (GATEWAY, "A2_GATEWAY_INFERENCE_APPLICATION", "A2_GATEWAY_APPLICATION"),
        (GATEWAY, "name: A2_TENANTS_FILE", "name: A2_TENANTS"),
        (f"{T}_versions.tpl", "A2_INFERENCE_MODEL_FOLDER", "A2_MODEL_FOLDER"),
        (RAY, 'RAY_ROTATION_MAX_BYTES: "16777216"', 'RAY_ROTATION_MAX_BYTES: "536870912"'),
        (RAY, "hash-type consistent sdbm avalanche", "hash-type map-based"),
        (RAY, "RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_ENABLE_HAPROXY"),
        ("values.yaml", "    sessionTtlS: 3600", "    sessionTtl: 3600"),
        ("values.yaml", "      slots: 4", "      slots: 0"),
        (COLLECTOR, "name: TRACES_ENDPOINT", "name: TRACE_ENDPOINT"),
        (PODS, "snakecase | upper", "upper"),
        # network policies
        (ARROWS, "- {from: gateway, to: inference, ports: [50051]}", "- {from: gateway, to: inference}"),
        (ARROWS, "- {from: head, to: inference}\n", ""),
        (ARROWS, "- {from: recorder, to: {{ $kafka }}", "- {from: collector, to: {{ $kafka }}"),
        (ARROWS, "- {from: test, to: gateway, ports: [8080]}", "- {from: recorder, to: gateway, ports: [8080]}"),
        (ARROWS, 'range list "head" "bounds" "farewell"', 'range list "head" "bounds" "inference"'),
        (ARROWS, "- {from: kuberayFrom, to: head, ports: [8265]}", "- {from: kuberayFrom, to: head, ports: [8266]}"),
        (f"{T}access/network.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]"),
        (f"{T}access/network.yaml", "[{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]", "[{port: 53, protocol: TCP}]"),
        (f"{T}access/network.yaml", '(list $ "from" $arrow)', '(list $ "to" $arrow)'),
        # Secrets, ConfigMaps, accounts, volumes
        (
            GATEWAY,
            '"A2_GATEWAY_USAGE_DATABASE" .Values.database.readOnlySecret',
            '"A2_GATEWAY_USAGE_DATABASE" (dict "name" "x" "key" "url")',
        ),
        (GATEWAY, "secret: {secretName: {{ . }}}", "secret: {secretName: {{ . }}-file}"),
        (ADDRESSES, "REDIS_PASSWORD_FILE, value: /etc/redis/", "REDIS_PASSWORD_FILE, value: /etc/passwords/"),
        (ADDRESSES, "A2_GATEWAY_REDIS_SENTINEL", "A2_GATEWAY_REDIS_SENTINELS"),
        (ADDRESSES, "RAY_REDIS_CA_CERT, value: /etc/redis-ca/", "RAY_REDIS_CA_CERT, value: /etc/redis/"),
        (ARROWS, "if .Values.redis.sentinel", "if false"),
        (WORKER, '"a2llm.rayRedisAddress"', '"a2llm.redisAddress"'),
        (COLLECTOR, "configMap: {name: {{ $name }}}", "configMap: {name: {{ $name }}-config}"),
        (RECORDER, '"account" "recorder"', '"account" "writer"'),
        (GATEWAY, "- {name: tmp, mountPath: /tmp}", "- {name: temp, mountPath: /tmp}"),
        (WORKER, "valueFrom: {secretKeyRef: {name: {{ .name }}", "valueFrom: {secretKeyRef: {name: ray-{{ .name }}"),
        (RAY, "--model-repository=/opt/a2llm/models/triton", "--model-repository=/models"),
        (PODS, "{{- concat $kept $own | toYaml -}}", "{{- $kept | toYaml -}}"),
        (PODS, "if not (has .name $names)", "if true"),
        (f"{T}_versions.tpl", "{{- with .extraVolumeMounts }}", "{{- with .extraVolumes }}"),
        (WORKER, '"a2llm.commonVolumes" $version', '"a2llm.modelVolumes" $version'),
        ("values.yaml", "      device: null", "      device: cuda"),
        (STANDALONE, 'ternary "cuda" "cpu"', 'ternary "auto" "cpu"'),
        (f"{T}NOTES.txt", "or (ne .Values.ingress.tlsSecret", "and (ne .Values.ingress.tlsSecret"),
        (f"{T}NOTES.txt", 'eq .Values.image.registry "ghcr.io/a2llm"', 'eq .Values.image.registry ""'),
        (f"{T}NOTES.txt", "if gt $now $min", "if lt $now $min"),
        (f"{T}observability/monitors.yaml", "__meta_kubernetes_pod_label_a2llm_version", "__meta_kubernetes_pod_labels_a2llm_version"),
        (f"{T}recorder/volume.yaml", "values: [gateway, recorder]", "values: [recorder]"),
        (f"{T}_mistakes.tpl", "ne .spec.resources.requests.storage $wanted.storage", "eq .spec.resources.requests.storage $wanted.storage"),
        # ending, replacing, budgets, autoscaling
        (GATEWAY, "{{ add $gateway.preStopSeconds $drain $drain 15 }}", "{{ add $gateway.preStopSeconds 15 }}"),
        (GATEWAY, "preStop: {sleep: {seconds: {{ $gateway.preStopSeconds }}}}", "preStop: {sleep: {seconds: 1}}"),
        (GATEWAY, "maxUnavailable: 0", "maxUnavailable: 1"),
        (WORKER, "preStop: {sleep: {seconds: {{ int $version.settings.drainS }}}}", "preStop: {sleep: {seconds: 5}}"),
        (RAY, "  restartPolicy: Always\n", ""),
        (STANDALONE, "strategy: {type: Recreate}", "strategy: {type: RollingUpdate}"),
        (f"{T}gateway/disruption.yaml", "maxUnavailable: 1", "maxUnavailable: 0"),
        (f"{T}gateway/scaling.yaml", '"kind" "Deployment"', '"kind" "StatefulSet"'),
        (f"{T}recorder/scaling.yaml", 'include "a2llm.component" (list . "recorder")', 'include "a2llm.component" (list . "gateway")'),
        (f"{T}gateway/scaling.yaml", "clamp_max(", "clamp_min("),
        (
            f"{T}gateway/scaling.yaml",
            "    - type: prometheus\n      name: cpus\n      metricType: AverageValue",
            "    - type: prometheus\n      name: cpus\n      metricType: Value",
        ),
        (f"{T}inference/disruption.yaml", "minAvailable: {{ sub $min 1 }}", "maxUnavailable: 1"),
        (f"{T}gateway/scaling.yaml", "minReplicaCount:", "minReplicas:"),
        (LIVE, '{{- if eq $own.autoscaling.mode "none" -}}', "{{- if true -}}"),
        (LIVE, '"replicas" $replicas)', '"replicas" (int $own.min))'),
        (LIVE, "concat $names (keys $version.workerGroups | sortAlpha) | uniq", "keys $version.workerGroups | sortAlpha"),
        (LIVE, "(int (dig . 0 $live))", "0"),
        (RAY, "max_replicas: {{ $max }}", "max_replicas: 2"),
        (RAY, "a2serve.inference.ray_scaling:SlotsPolicy", "a2serve.inference.ray_scaling:SlotPolicy"),
        (RAY, "import_path: a2serve.inference.ray_app:app", "import_path: a2serve.inference.ray_app:application"),
        (WORKER, 'rayStartParams: {num-cpus: "0"', 'rayStartParams: {num-cpus: "1"'),
        (WORKER, "excludeHeadPodFromServeSvc: true", "excludeHeadFromServeSvc: true"),
        (f"{T}recorder/migrations.yaml", "pre-upgrade", "pre-install,pre-upgrade"),
        (f"{T}hooks/cluster.yaml", '"post-upgrade,post-rollback"', '"post-upgrade"'),
        (f"{T}hooks/cluster.yaml", '"pre-delete"', '"post-delete"'),
        (f"{T}hooks/cluster.yaml", '(list . "farewell" "pre-delete" (keys', '(list . "farewell" "pre-delete" (values'),
        (f"{T}hooks/cluster.yaml", '"max" (int $own.max)', '"max" (int $own.min)'),
        (f"{T}recorder/_recorder.tpl", "hook-succeeded,hook-failed", "hook-succeeded"),
        (f"{T}recorder/_recorder.tpl", "activeDeadlineSeconds: {{ $root.Values.hookSeconds }}", "activeDeadlineSeconds: 600"),
        (f"{T}access/roles.yaml", '(list "list" "patch")', '(list "list")'),
        ("files/cluster.py", "specs[name] == specs.get(active)", "specs[name]"),
        ("files/cluster.py", '(bounds["min"], bounds["max"])', '(bounds["min"], group.get("maxReplicas"))'),
        ("files/cluster.py", "while left := [", "if left := ["),
        (f"{T}recorder/migrations.yaml", '"a2serve.recorder.migrate"', '"a2serve.recorder.migrations"'),
        # the way in
        (f"{T}gateway/route.yaml", "timeouts: {request: 0s, backendRequest: 0s}", "timeouts: {request: 60s}"),
        (ADDRESSES, "type: Exact, path: /}", "type: Prefix, path: /}"),
        (ADDRESSES, '(list "/v1" ', '(list "/v2" '),
        ("values-eks.yaml", "idle_timeout.timeout_seconds=3700", "idle_timeout.timeout_seconds=60"),
        # versions
        (f"{T}_versions.tpl", "(deepCopy $.Values.inference.versionDefaults)", "$.Values.inference.versionDefaults"),
        (GATEWAY, "(list . .Values.inference.active)", '(list . "blue")'),
        ("values.yaml", "    version: 2.60.0", "    version: 2.50.0"),
    )
)
