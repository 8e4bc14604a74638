# What the service keeps: Redis and Postgres, managed, reachable from this network alone; Kafka is Strimzi's (kafka.yaml). Passwords are made
# here, so they are in Terraform's state: keep it where secrets may be. README.md makes the cluster's Secrets of them.

# Google's services have their own network, beside ours. values-gke.yaml lets pods reach 10.40.0.0/20.
resource "google_compute_global_address" "services" {
  name          = "${var.name}-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  address       = "10.40.0.0"
  prefix_length = 20
  network       = google_compute_network.net.id
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.net.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]

  depends_on = [google_project_service.needed]
}

resource "random_password" "data" {
  for_each = toset(["recorder", "reader"])

  length  = 32
  special = false # they become part of URLs
}

resource "google_redis_instance" "data" {
  name               = var.name
  region             = var.region
  tier               = "STANDARD_HA"
  memory_size_gb     = var.data_sizes.redis_gb
  redis_version      = "REDIS_7_2"
  authorized_network = google_compute_network.net.id
  connect_mode       = "PRIVATE_SERVICE_ACCESS"
  auth_enabled       = true

  # Sessions and records wait here: an error is better than a silent loss.
  redis_configs = { maxmemory-policy = "noeviction" }

  persistence_config {
    persistence_mode    = "RDB"
    rdb_snapshot_period = "ONE_HOUR"
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_sql_database_instance" "data" {
  name                = var.name
  region              = var.region
  database_version    = "POSTGRES_16"
  deletion_protection = true

  settings {
    tier              = var.data_sizes.postgres
    edition           = "ENTERPRISE"
    availability_type = "REGIONAL"

    ip_configuration {
      ipv4_enabled    = false
      private_network = google_compute_network.net.id
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
    }
  }

  depends_on = [google_service_networking_connection.services]
}

resource "google_sql_database" "data" {
  name     = "a2llm"
  instance = google_sql_database_instance.data.name
}

resource "google_sql_user" "recorder" {
  name     = "recorder"
  instance = google_sql_database_instance.data.name
  password = random_password.data["recorder"].result
}

locals {
  postgres = "${google_sql_database_instance.data.private_ip_address}:5432/${google_sql_database.data.name}?sslmode=require"
}
