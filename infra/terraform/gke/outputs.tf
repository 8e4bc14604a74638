output "kubeconfig" {
  description = "Command that lets kubectl and helm in."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.main.name} --region ${var.region} --project ${var.project}"
}

output "registry" {
  description = "Where images go; the chart's image.registry."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "gpu_quota" {
  description = "What quotas have to allow: per pool in the region (NVIDIA_L4_GPUS, with spot PREEMPTIBLE_NVIDIA_L4_GPUS), and GPUS_ALL_REGIONS."
  value = {
    per_pool    = { for name, pool in var.gpu_pools : name => pool.max }
    all_regions = sum([for pool in var.gpu_pools : pool.max])
  }
}
