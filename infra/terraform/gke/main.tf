# A regional cluster with three pools: system (always there), cpu and gpu (from zero, tainted, spot where wanted).
# What is installed into it is the chart's business; README.md has the steps.

locals {
  labels        = { app = var.name }
  control_plane = "172.16.0.0/28"
}

resource "google_project_service" "needed" {
  for_each = toset(["compute.googleapis.com", "container.googleapis.com", "artifactregistry.googleapis.com", "servicenetworking.googleapis.com", "redis.googleapis.com", "sqladmin.googleapis.com", "certificatemanager.googleapis.com"])

  service            = each.value
  disable_on_destroy = false
}

resource "google_compute_network" "net" {
  name                    = var.name
  auto_create_subnetworks = false

  depends_on = [google_project_service.needed]
}

resource "google_compute_subnetwork" "nodes" {
  name                     = var.name
  network                  = google_compute_network.net.id
  region                   = var.region
  ip_cidr_range            = "10.10.0.0/20"
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = "10.20.0.0/14"
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = "10.30.0.0/20"
  }
}

# The control plane asks KEDA: its metrics (6443) and its webhook (9443). GKE itself opens 443 and 10250 only.
resource "google_compute_firewall" "control_plane" {
  name                    = "${var.name}-control-plane"
  network                 = google_compute_network.net.id
  source_ranges           = [local.control_plane]
  target_service_accounts = [google_service_account.nodes.email]

  allow {
    protocol = "tcp"
    ports    = ["6443", "9443"]
  }
}

# Nodes have no public addresses; images are fetched through here.
resource "google_compute_router" "out" {
  name    = var.name
  network = google_compute_network.net.id
  region  = var.region
}

resource "google_compute_router_nat" "out" {
  name                               = var.name
  router                             = google_compute_router.out.name
  region                             = var.region
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"
}

resource "google_service_account" "nodes" {
  account_id   = "${var.name}-nodes"
  display_name = "Nodes of ${var.name}: logs, metrics, images"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset(["roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"])

  project = var.project
  role    = each.value
  member  = google_service_account.nodes.member
}

resource "google_artifact_registry_repository" "images" {
  repository_id = var.name
  location      = var.region
  format        = "DOCKER"
  description   = "Images of infra/docker"

  depends_on = [google_project_service.needed]
}

resource "google_container_cluster" "main" {
  name                     = var.name
  location                 = var.region
  network                  = google_compute_network.net.id
  subnetwork               = google_compute_subnetwork.nodes.id
  remove_default_node_pool = true
  initial_node_count       = 1
  deletion_protection      = true
  resource_labels          = local.labels
  datapath_provider        = "ADVANCED_DATAPATH" # enforces the chart's NetworkPolicies

  release_channel {
    channel = "REGULAR"
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes   = true
    master_ipv4_cidr_block = local.control_plane
  }

  master_authorized_networks_config {
    dynamic "cidr_blocks" {
      for_each = var.api_networks

      content {
        cidr_block = cidr_blocks.value
      }
    }
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD" # the chart's HTTPRoute
  }

  # OPTIMIZE_UTILIZATION would give back a node that was empty for a minute; a GPU takes four to come (docs/capacity.md).
  cluster_autoscaling {
    autoscaling_profile = "BALANCED"
  }
}

resource "google_container_node_pool" "system" {
  name     = "system"
  cluster  = google_container_cluster.main.id
  location = var.region

  autoscaling {
    min_node_count = var.system_nodes.min
    max_node_count = var.system_nodes.max
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = var.system_nodes.machine
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    labels          = { "a2llm/pool" = "system" }

    shielded_instance_config {
      enable_secure_boot = true
    }
  }
}

resource "google_container_node_pool" "cpu" {
  name           = "cpu"
  cluster        = google_container_cluster.main.id
  location       = var.region
  node_locations = var.gpu_zones

  autoscaling {
    total_min_node_count = 0
    total_max_node_count = var.cpu_nodes.max
    location_policy      = var.cpu_nodes.spot ? "ANY" : "BALANCED"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  node_config {
    machine_type    = var.cpu_nodes.machine
    spot            = var.cpu_nodes.spot
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    labels          = { "a2llm/pool" = "cpu" }

    taint {
      key    = "a2llm/pool"
      value  = "cpu"
      effect = "NO_SCHEDULE"
    }
  }
}

resource "google_container_node_pool" "gpu" {
  for_each = var.gpu_pools

  name           = each.key
  cluster        = google_container_cluster.main.id
  location       = var.region
  node_locations = var.gpu_zones

  autoscaling {
    total_min_node_count = 0
    total_max_node_count = each.value.max
    location_policy      = "ANY" # wherever there is a GPU
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  # Old nodes go one by one; drains of replicas take a minute each.
  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  node_config {
    machine_type    = each.value.machine
    spot            = each.value.spot
    disk_type       = "pd-ssd" # images of several GB, read at every start
    disk_size_gb    = 100
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    labels          = { "a2llm/pool" = "gpu" }

    guest_accelerator {
      type  = each.value.accelerator
      count = 1

      gpu_driver_installation_config {
        gpu_driver_version = "LATEST"
      }
    }

    # Images stream: a container starts before all of its image has come.
    gcfs_config {
      enabled = true
    }

    taint {
      key    = "nvidia.com/gpu"
      value  = "present"
      effect = "NO_SCHEDULE"
    }
  }

  lifecycle {
    ignore_changes = [initial_node_count]
  }
}
