{{/*
What is in the cluster now. Everything here is empty where Helm asks no cluster (helm template, GitOps): what depends on it says what then holds.
*/}}

{{/* One object of the release's namespace as JSON, {} where there is none: (list $ "apps/v1" "Deployment" "name"). */}}
{{- define "a2llm.live" -}}
{{- lookup (index . 1) (index . 2) (index . 0).Release.Namespace (index . 3) | default dict | toJson -}}
{{- end }}

{{/* Whether there is a cluster that answers: every namespace has this account. */}}
{{- define "a2llm.asksCluster" -}}
{{- if include "a2llm.live" (list . "v1" "ServiceAccount" "default") | fromJson }}yes{{ end -}}
{{- end }}

{{/* `replicas` of a Deployment: (list $ "gateway"). Where an autoscaler has them, as many as there are: without the field, switching it on would
     leave one. None yet: its `min`. Nobody to ask: no field, so that the next sync does not undo the autoscaler. */}}
{{- define "a2llm.replicas" -}}
{{- $root := index . 0 -}}{{- $own := get $root.Values (index . 1) -}}
{{- if eq $own.autoscaling.mode "none" -}}
replicas: {{ $own.replicas }}
{{- else if include "a2llm.asksCluster" $root -}}
{{- $live := include "a2llm.live" (list $root "apps/v1" "Deployment" (include "a2llm.component" .)) | fromJson -}}
replicas: {{ dig "spec" "replicas" $own.autoscaling.min $live }}
{{- end -}}
{{- end }}

{{/* The active RayCluster of a version: (list $ "blue"), as JSON; {} where there is none. */}}
{{- define "a2llm.liveCluster" -}}
{{- $root := index . 0 -}}
{{- $service := include "a2llm.live" (list $root "ray.io/v1" "RayService" (include "a2llm.versionName" .)) | fromJson -}}
{{- $active := dig "status" "activeServiceStatus" "rayClusterName" "" $service -}}
{{- if $active }}{{ include "a2llm.live" (list $root "ray.io/v1" "RayCluster" $active) }}{{ else }}{}{{ end -}}
{{- end }}

{{/* Worker groups of a version as they run, in their order: (list $ "blue"), as a JSON list of {groupName, replicas}. KubeRay updates a running
     cluster only when its groups stay where they are; and writes our `replicas` over the autoscaler's when it does. */}}
{{- define "a2llm.liveGroups" -}}
{{- $root := index . 0 -}}{{- $groups := list -}}
{{- if $root.Release.IsUpgrade -}}
{{- $service := include "a2llm.live" (list $root "ray.io/v1" "RayService" (include "a2llm.versionName" .)) | fromJson -}}
{{- $cluster := include "a2llm.liveCluster" . | fromJson -}}
{{- range dig "spec" "workerGroupSpecs" (dig "spec" "rayClusterConfig" "workerGroupSpecs" list $service) $cluster -}}
{{- $groups = append $groups (dict "groupName" .groupName "replicas" (default 0 .replicas)) -}}
{{- end -}}
{{- end -}}
{{- toJson $groups -}}
{{- end }}

{{/* A version's worker groups in the order in which they are rendered, with `name` and `replicas`: (list $ "blue" version), as JSON. Those that run
     come first and as they are; new ones after them, by name. */}}
{{- define "a2llm.orderedGroups" -}}
{{- $version := index . 2 -}}{{- $ordered := list -}}{{- $live := dict -}}{{- $names := list -}}
{{- range include "a2llm.liveGroups" . | fromJsonArray }}{{ $names = append $names .groupName }}{{ $_ := set $live .groupName .replicas }}{{ end -}}
{{- range concat $names (keys $version.workerGroups | sortAlpha) | uniq -}}
{{- $own := get $version.workerGroups . -}}
{{- if $own -}}
{{- $replicas := min (int $own.max) (max (int $own.min) (int (dig . 0 $live))) -}}
{{- $ordered = append $ordered (merge (dict "name" . "replicas" $replicas) $own) -}}
{{- end -}}
{{- end -}}
{{- toJson $ordered -}}
{{- end }}
