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

output "account_registry" {
  description = "Where docker logs in, and as whom: aws ecr get-login-password."
  value       = split("/", aws_ecr_repository.images["gateway"].repository_url)[0]
}

output "balancer" {
  description = "The load balancer controller's role, which gets the policy of its version, and the network it works in."
  value       = { role = aws_iam_role.balancer.name, vpc = aws_vpc.net.id }
}

output "values" {
  description = "Values that only this cluster knows: helm ... -f values-eks.yaml -f FILE."
  value = yamlencode({
    image = { registry = trimsuffix(aws_ecr_repository.images["gateway"].repository_url, "/gateway") }
    redis = { address = "${aws_elasticache_replication_group.data.primary_endpoint_address}:6379" }
    kafka = { servers = aws_msk_cluster.data.bootstrap_brokers_sasl_scram, replicationFactor = var.zones }
  })
}

output "database" {
  description = "For the step that makes the reading role: the recorder's address for psql, and the reader's password."
  value       = { url = "postgresql://recorder:${random_password.data["recorder"].result}@${local.postgres}", reader = random_password.data["reader"].result }
  sensitive   = true
}
