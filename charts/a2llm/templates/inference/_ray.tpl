{{/*
Ray's part of the model's pods.
*/}}

{{/* What Ray reads when it is imported; services/a2serve/inference/ray_environment.py has the reasons, and a test that both are equal. */}}
{{- define "a2llm.rayConstants" -}}
RAY_USAGE_STATS_ENABLED: "0"
RAY_SERVE_ENABLE_HA_PROXY: "1"
RAY_SERVE_HAPROXY_BALANCE_ALGORITHM: "hdr(session-id)\n    hash-type consistent sdbm avalanche\n    timeout connect 100ms"
RAY_SERVE_HAPROXY_CONFIG_FILE_LOC: /tmp/haproxy/haproxy.cfg
RAY_SERVE_HAPROXY_SOCKET_PATH: /tmp/haproxy/admin.sock
RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH: /tmp/haproxy/metrics.sock
RAY_SERVE_HAPROXY_SERVER_STATE_BASE: /tmp/haproxy
RAY_SERVE_HAPROXY_SERVER_STATE_FILE: /tmp/haproxy/server-state
RAY_SERVE_HAPROXY_METRICS_PORT: "9101"
RAY_SERVE_HAPROXY_STATS_PORT: "8404"
RAY_SERVE_HAPROXY_NBTHREAD: "1"
RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER: 1s
RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT: "1"
RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT: "32000"
RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT: "32350"
RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT: "32351"
RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT: "32700"
RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD: "0"
RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S: "1"
RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S: "2"
{{- end }}

{{/* Ray's logs are in /tmp, which is bounded: 16 MiB in each of three files for each process, where Ray's own 512 MiB in six would end the pod. */}}
{{- define "a2llm.rayLogs" -}}
RAY_ROTATION_MAX_BYTES: "16777216"
RAY_ROTATION_BACKUP_COUNT: "2"
{{- end }}

{{/* Variables of every Ray container, head and workers alike: the application is built from them, on any of them. (list $ version)
     What changes them starts a new cluster; so bounds and scaling are in the Serve configuration, which KubeRay applies to the running one. */}}
{{- define "a2llm.rayEnv" -}}
{{- $root := index . 0 -}}{{- $version := index . 1 -}}
{{- $ray := $root.Values.inference.ray -}}
{{- include "a2llm.modelEnv" . }}
{{- include "a2llm.rayRedisEnv" $root }}
- name: A2_INFERENCE_APPLICATION
  value: {{ $ray.application }}
# A worker has one Ray CPU and one Triton, and a replica takes the CPU: so one replica for each worker, and none on the head.
- name: A2_INFERENCE_REPLICA_CPUS
  value: "1"
- name: A2_INFERENCE_REPLICA_GPUS
  value: "0"
- name: A2_INFERENCE_TRITON_URLS
  value: 127.0.0.1:8001
- name: A2_INFERENCE_REPLICA_METRICS_PORT
  value: "9470"
- name: A2_INFERENCE_LEASE_FOLDER
  value: /tmp/places
{{- range $name, $value := merge (include "a2llm.rayConstants" $root | fromYaml) (include "a2llm.rayLogs" $root | fromYaml) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* What Ray Serve runs; (list $ version). Without bounds of its own here, a change of `max` would need a second cluster. */}}
{{- define "a2llm.serveConfig" -}}
{{- $root := index . 0 -}}{{- $version := index . 1 -}}
{{- $ray := $root.Values.inference.ray -}}{{- $scaling := $ray.scaling -}}
{{- $min := 0 }}{{ $max := 0 }}
{{- range $version.workerGroups }}{{ $min = add $min .min }}{{ $max = add $max .max }}{{ end -}}
proxy_location: EveryNode
http_options: {host: 0.0.0.0, port: 8000}
grpc_options:
  port: 50051
  grpc_servicer_functions: [a2serve.contracts.proto.avatar_pb2_grpc.add_AvatarServicer_to_server]
applications:
  - name: {{ $ray.application }}
    import_path: a2serve.inference.ray_app:app
    route_prefix: /
    deployments:
      - name: Avatar
        num_replicas: auto
        autoscaling_config:
          min_replicas: {{ max 1 $min }}
          max_replicas: {{ $max }}
          look_back_period_s: {{ $scaling.lookBackS }}
          upscale_delay_s: {{ $scaling.upS }}
          downscale_delay_s: {{ $scaling.downS }}
          policy:
            policy_function: a2serve.inference.ray_scaling:SlotsPolicy
            policy_kwargs: {share: {{ $scaling.slotsShare }}, frl_limit_ms: {{ $scaling.frlLimitMs }}}
{{- end }}

{{/* Raylet, and on the head GCS: the agent knows. */}}
{{- define "a2llm.rayProbes" -}}
startupProbe: {httpGet: {path: /api/healthz, port: 52365}, periodSeconds: 5, failureThreshold: 60}
livenessProbe: {httpGet: {path: /api/healthz, port: 52365}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 12}
{{- end }}

{{- define "a2llm.rayLeaseEnv" -}}
{{- include "a2llm.rayStateEnv" . }}
# KubeRay writes it there: the cluster's uid.
- name: RAY_external_storage_namespace
  valueFrom: {fieldRef: {fieldPath: "metadata.annotations['ray.io/external-storage-namespace']"}}
{{- end }}

{{/* Beside the head, as long as it runs: its state in Redis lives on for so long after it. (list $ version) */}}
{{- define "a2llm.rayLease" -}}
{{- $root := index . 0 -}}{{- $version := index . 1 -}}
- name: ray-lease
  restartPolicy: Always
  {{- include "a2llm.container" (list $root $version.image) | nindent 2 }}
  command: [python, -m, a2serve.inference.ray_lease, {{ $root.Values.inference.ray.stateLeaseSeconds | quote }}]
  env:
    {{- include "a2llm.allEnv" (list (include "a2llm.rayLeaseEnv" $root) $version.extraEnv) | nindent 4 }}
  # It has renewed within five minutes. Nothing waits for it, so it is asked for nothing else.
  livenessProbe:
    exec: {command: [sh, -c, test -n "$(find /tmp/ray-lease -mmin -5)"]}
    initialDelaySeconds: 300
    periodSeconds: 60
    timeoutSeconds: 10
  resources:
    requests: {cpu: 10m, memory: 48Mi}
    limits: {memory: 96Mi}
  volumeMounts:
    {{- include "a2llm.commonMounts" $version | nindent 4 }}
    {{- include "a2llm.redisFiles" (list $root "mounts" "") | nindent 4 }}
{{- end }}

{{/* A worker's Triton: a native sidecar, which starts before the replica and ends after it. (list $ version group) */}}
{{- define "a2llm.triton" -}}
{{- $root := index . 0 -}}{{- $version := index . 1 -}}{{- $group := index . 2 -}}
- name: triton
  restartPolicy: Always
  {{- include "a2llm.container" (list $root $version.tritonImage (ternary "-cuda" "" (gt (int $group.gpus) 0))) | nindent 2 }}
  # Options and their reasons: docs/triton.md. Requests come from this pod alone; health and numbers are asked from outside. HTTP is not on
  # 8000: there is Ray Serve's.
  command: [/opt/tritonserver/bin/tritonserver]
  args:
    - --backend-directory=/opt/tritonserver/backends
    - --model-repository=/opt/a2llm/models/triton
    {{- if $group.gpus }}
    - --model-config-name=gpu
    - --cuda-memory-pool-byte-size=0:0
    {{- end }}
    - --disable-auto-complete-config
    - --model-control-mode=explicit
    - --load-model=a2llm
    - --exit-timeout-secs=5
    - --grpc-address=127.0.0.1
    - --grpc-port=8001
    - --http-address=0.0.0.0
    - --http-port=8010
    - --metrics-address=0.0.0.0
    - --metrics-port=8002
    - --allow-gpu-metrics={{ ternary "true" "false" (gt (int $group.gpus) 0) }}
    - --backend-config=python,stub-timeout-seconds={{ $group.startupSeconds }}
    - --backend-config=python,shm-region-prefix-name=a2_8001_
  env:
    {{- include "a2llm.allEnv" (list (include "a2llm.modelEnv" (list $root $version)) $version.extraEnv) | nindent 4 }}
  ports:
    - {name: triton-http, containerPort: 8010}
    - {name: triton-metrics, containerPort: 8002}
  # Ready once it has spoken in every slot. Until then nothing else in this pod starts.
  startupProbe: {httpGet: {path: /v2/models/a2llm/ready, port: triton-http}, periodSeconds: 5, failureThreshold: {{ div (add $group.startupSeconds 4) 5 }}}
  livenessProbe: {httpGet: {path: /v2/health/live, port: triton-http}, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 6}
  readinessProbe: {httpGet: {path: /v2/models/a2llm/ready, port: triton-http}, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 2}
  resources:
    {{- include "a2llm.withGpus" (list $group.tritonResources $group) | nindent 4 }}
  volumeMounts:
    {{- include "a2llm.modelMounts" $version | nindent 4 }}
    - {name: triton-shm, mountPath: /dev/shm}
{{- end }}
