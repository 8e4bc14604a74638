variable "project" {
  description = "Google Cloud project; its billing must be on."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 small letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the cluster. It must have the GPU: gcloud compute accelerator-types list --filter=name=nvidia-l4"
  type        = string
  default     = "europe-west4"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]$", var.region))
    error_message = "A region, such as europe-west4; not a zone."
  }
}

variable "gpu_zones" {
  description = "Zones of the region that have the GPU; nodes are spread over them. One zone keeps Redis, Kafka and engines close."
  type        = list(string)
  default     = ["europe-west4-a", "europe-west4-b"]

  validation {
    condition     = length(var.gpu_zones) > 0
    error_message = "At least one zone."
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

variable "api_networks" {
  description = "CIDR blocks that may reach the Kubernetes API; yours."
  type        = list(string)

  validation {
    condition     = alltrue([for block in var.api_networks : can(cidrhost(block, 0))]) && !contains(var.api_networks, "0.0.0.0/0")
    error_message = "CIDR blocks, and not the whole internet."
  }
}

variable "system_nodes" {
  description = "Nodes for operators, gateways, recorder, collector: always there, per zone at least `min`."
  type        = object({ machine = string, min = number, max = number })
  default     = { machine = "e2-standard-4", min = 1, max = 6 }

  validation {
    condition     = var.system_nodes.min >= 1 && var.system_nodes.max >= var.system_nodes.min
    error_message = "At least one, and no more at the least than at the most."
  }
}

variable "cpu_nodes" {
  description = "Nodes for engines on CPUs (values-trial.yaml, tests); from zero. spot: a fraction of the price, gone with 30 s notice."
  type        = object({ machine = string, max = number, spot = bool })
  default     = { machine = "c3-standard-8", max = 4, spot = false }

  validation {
    condition     = var.cpu_nodes.max >= 0 && var.cpu_nodes.max <= 200
    error_message = "0 to 200."
  }
}

variable "gpu_pools" {
  description = "Pools of nodes for engines by name, one GPU each; from zero, in all zones together. docs/capacity.md says how many; quotas must be as high."
  type        = map(object({ machine = string, accelerator = string, max = number, spot = bool }))
  default = {
    gpu      = { machine = "g2-standard-8", accelerator = "nvidia-l4", max = 8, spot = false }
    gpu-spot = { machine = "g2-standard-8", accelerator = "nvidia-l4", max = 8, spot = true }
  }

  validation {
    condition     = alltrue([for pool in var.gpu_pools : pool.max >= 1 && pool.max <= 500])
    error_message = "1 to 500 nodes; more sessions than that are more clusters (docs/capacity.md)."
  }
}

variable "data_sizes" {
  description = "Size of Redis in GB and machine of Postgres (data.tf). A thousand sessions are a few MB of Redis and some hundred records a second."
  type        = object({ redis_gb = number, postgres = string })
  default     = { redis_gb = 1, postgres = "db-custom-2-7680" }

  validation {
    condition     = var.data_sizes.redis_gb >= 1 && startswith(var.data_sizes.postgres, "db-")
    error_message = "At least 1 GB; a machine such as db-custom-2-7680."
  }
}
