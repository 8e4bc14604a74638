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

output "values" {
  description = "Values that only this cluster knows: helm ... -f values-gke.yaml -f FILE."
  value = yamlencode({
    image = { registry = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}" }
    redis = { address = "${google_redis_instance.data.host}:${google_redis_instance.data.port}" }
  })
}

output "redis_password" {
  description = "For Secret a2llm-redis."
  value       = google_redis_instance.data.auth_string
  sensitive   = true
}

output "database_url" {
  description = "For Secret a2llm-database: the recorder's."
  value       = "postgresql+psycopg://${google_sql_user.recorder.name}:${random_password.data["recorder"].result}@${local.postgres}"
  sensitive   = true
}

output "readonly_url" {
  description = "For Secret a2llm-database-readonly."
  value       = "postgresql+psycopg://reader:${random_password.data["reader"].result}@${local.postgres}"
  sensitive   = true
}

output "database" {
  description = "For the step that makes the reading role: the recorder's address for psql, and the reader's password."
  value       = { url = "postgresql://${google_sql_user.recorder.name}:${random_password.data["recorder"].result}@${local.postgres}", reader = random_password.data["reader"].result }
  sensitive   = true
}
