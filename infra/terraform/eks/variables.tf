variable "region" {
  description = "Region of the cluster. It must have the GPU: aws ec2 describe-instance-type-offerings --filters Name=instance-type,Values=g6.2xlarge"
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, such as eu-central-1."
  }
}

variable "name" {
  description = "Name of the cluster and prefix of everything else."
  type        = string
  default     = "a2llm"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,20}$", var.name))
    error_message = "Small letters, digits and hyphens, at most 21."
  }
}

variable "kubernetes_version" {
  description = "Minor version of the control plane; one that EKS supports: aws eks describe-cluster-versions"
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "A minor version, such as 1.33."
  }
}

variable "zones" {
  description = "How many availability zones; nodes are spread over them."
  type        = number
  default     = 2

  validation {
    condition     = var.zones >= 2 && var.zones <= 3
    error_message = "Two or three: EKS asks for two."
  }
}

variable "api_networks" {
  description = "CIDR blocks that may reach the Kubernetes API; yours."
  type        = list(string)

  validation {
    condition     = alltrue([for block in var.api_networks : can(cidrhost(block, 0))]) && !contains(var.api_networks, "0.0.0.0/0")
    error_message = "CIDR blocks, and not the whole internet."
  }
}

variable "system_nodes" {
  description = "Nodes for operators, gateways, recorder, collector: always there."
  type        = object({ machine = string, min = number, max = number })
  default     = { machine = "m7i.xlarge", min = 2, max = 6 }

  validation {
    condition     = var.system_nodes.min >= 1 && var.system_nodes.max >= var.system_nodes.min
    error_message = "At least one, and no more at the least than at the most."
  }
}

variable "cpu_nodes" {
  description = "Nodes for engines on CPUs (values-trial.yaml, tests); from zero. spot: a fraction of the price, gone with two minutes' notice."
  type        = object({ machine = string, max = number, spot = bool })
  default     = { machine = "c7i.2xlarge", max = 4, spot = false }

  validation {
    condition     = var.cpu_nodes.max >= 1 && var.cpu_nodes.max <= 200
    error_message = "1 to 200."
  }
}

variable "gpu_pools" {
  description = "Groups of nodes for engines by name, one GPU each; from zero. docs/capacity.md says how many; the quota (in vCPUs) must be as high."
  type        = map(object({ machine = string, vcpus = number, max = number, spot = bool }))
  default = {
    gpu      = { machine = "g6.2xlarge", vcpus = 8, max = 8, spot = false }
    gpu-spot = { machine = "g6.2xlarge", vcpus = 8, max = 8, spot = true }
  }

  validation {
    condition     = alltrue([for pool in var.gpu_pools : pool.max >= 1 && pool.max <= 450])
    error_message = "1 to 450 nodes, which is what a managed group holds; more sessions than that are more clusters (docs/capacity.md)."
  }
}

variable "data_sizes" {
  description = "Machines of Valkey, Postgres and Kafka (data.tf). A thousand sessions are a few MB of Redis and some hundred records a second."
  type        = object({ redis = string, postgres = string, kafka = string })
  default     = { redis = "cache.t4g.small", postgres = "db.t4g.small", kafka = "kafka.m7g.large" }

  validation {
    condition     = startswith(var.data_sizes.redis, "cache.") && startswith(var.data_sizes.postgres, "db.") && startswith(var.data_sizes.kafka, "kafka.")
    error_message = "Names such as cache.t4g.small, db.t4g.small, kafka.m7g.large."
  }
}
