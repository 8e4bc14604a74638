output "kubeconfig" {
  description = "Command that lets kubectl and helm in."
  value       = "aws eks update-kubeconfig --name ${aws_eks_cluster.main.name} --region ${var.region}"
}

output "registry" {
  description = "Where images go; the chart's image.registry."
  value       = trimsuffix(aws_ecr_repository.images["gateway"].repository_url, "/gateway")
}

output "gpu_quota" {
  description = "Quotas in vCPUs by group: Running On-Demand G and VT instances (L-DB2E81BA), with spot All G and VT Spot Instance Requests (L-3819A6DF)."
  value       = { for name, pool in var.gpu_pools : name => pool.max * pool.vcpus }
}
