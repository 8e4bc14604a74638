{{/*
What the recorder and its Jobs share.
*/}}

{{- define "a2llm.databaseEnv" -}}
{{- if .Values.database.sqlite.enabled }}
- {name: A2_RECORDER_DATABASE, value: "sqlite:////data/recorder.sqlite"}
{{- else }}
{{- include "a2llm.secretEnv" (list "A2_RECORDER_DATABASE" .Values.database.secret) }}
{{- end }}
{{- end }}

{{/* What becomes of a hook: it leaves nothing behind when it failed, either, but Helm shows what it said. */}}
{{- define "a2llm.hookEnd" -}}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
helm.sh/hook-output-log-policy: hook-failed
{{- end }}

{{/* A Job that Helm runs: (list $ "component" "hooks" command env). It gets no ServiceAccount of the release: before the first
     installation there is none. */}}
{{- define "a2llm.hookJob" -}}
{{- $root := index . 0 -}}{{- $recorder := $root.Values.recorder -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "a2llm.metadata" (list $root (index . 1)) | nindent 2 }}
  annotations:
    helm.sh/hook: {{ index . 2 }}
    {{- include "a2llm.hookEnd" $root | nindent 4 }}
spec:
  backoffLimit: 6
  activeDeadlineSeconds: {{ $root.Values.hookSeconds }}
  template:
    metadata:
      labels:
        {{- include "a2llm.selector" (list $root (index . 1)) | nindent 8 }}
    spec:
      {{- include "a2llm.podSpec" (dict "root" $root "pod" $recorder.pod) | nindent 6 }}
      restartPolicy: OnFailure
      containers:
        - name: {{ index . 1 }}
          {{- include "a2llm.container" (list $root $recorder.image) | nindent 10 }}
          command: {{ index . 3 | toJson }}
          env:
            {{- include "a2llm.allEnv" (list (index . 4) $recorder.extraEnv) | nindent 12 }}
          resources:
            {{- toYaml $recorder.resources | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- include "a2llm.kafkaFiles" (list $root "mounts") | nindent 12 }}
            {{- with $recorder.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
        {{- include "a2llm.kafkaFiles" (list $root "volumes") | nindent 8 }}
        {{- with $recorder.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}
