# What the service keeps: Valkey, Kafka and Postgres, managed, reachable from the cluster alone. Passwords are made here, so they are in
# Terraform's state: keep it where secrets may be. External Secrets brings them into the cluster (values-eks.yaml).

resource "random_password" "data" {
  for_each = toset(["redis", "recorder", "reader", "kafka"])

  length  = 32
  special = false # they become part of URLs
}

resource "aws_security_group" "data" {
  name   = "${var.name}-data"
  vpc_id = aws_vpc.net.id
}

resource "aws_vpc_security_group_ingress_rule" "data" {
  for_each = { redis = 6379, postgres = 5432, kafka = 9096 }

  security_group_id            = aws_security_group.data.id
  referenced_security_group_id = aws_eks_cluster.main.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# --- Valkey -----------------------------------------------------------------------------------------------------------

resource "aws_elasticache_subnet_group" "data" {
  name       = var.name
  subnet_ids = aws_subnet.data[*].id
}

resource "aws_elasticache_parameter_group" "data" {
  name   = var.name
  family = "valkey8"

  # Sessions and records wait here: an error is better than a silent loss.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "data" {
  replication_group_id       = var.name
  description                = "Sessions, limits and outbox of ${var.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.data_sizes.redis
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  parameter_group_name       = aws_elasticache_parameter_group.data.name
  subnet_group_name          = aws_elasticache_subnet_group.data.name
  security_group_ids         = [aws_security_group.data.id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = random_password.data["redis"].result
  snapshot_retention_limit   = 1
}

# --- Postgres ---------------------------------------------------------------------------------------------------------

resource "aws_db_subnet_group" "data" {
  name       = var.name
  subnet_ids = aws_subnet.data[*].id
}

resource "aws_db_instance" "data" {
  identifier                = var.name
  engine                    = "postgres"
  engine_version            = "16"
  instance_class            = var.data_sizes.postgres
  allocated_storage         = 50
  storage_encrypted         = true
  db_name                   = "a2llm"
  username                  = "recorder"
  password                  = random_password.data["recorder"].result
  db_subnet_group_name      = aws_db_subnet_group.data.name
  vpc_security_group_ids    = [aws_security_group.data.id]
  multi_az                  = true
  backup_retention_period   = 7
  deletion_protection       = true
  final_snapshot_identifier = "${var.name}-last"
}

# --- Kafka ------------------------------------------------------------------------------------------------------------

# MSK takes passwords only from secrets with a key of one's own.
resource "aws_kms_key" "kafka" {
  description = "Kafka's users of ${var.name}"
}

resource "aws_msk_cluster" "data" {
  cluster_name           = var.name
  kafka_version          = "3.8.x"
  number_of_broker_nodes = var.zones

  broker_node_group_info {
    instance_type   = var.data_sizes.kafka
    client_subnets  = aws_subnet.data[*].id
    security_groups = [aws_security_group.data.id]

    storage_info {
      ebs_storage_info {
        volume_size = 100
      }
    }
  }

  client_authentication {
    sasl {
      scram = true
    }
  }

  encryption_info {
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }
}

resource "aws_msk_scram_secret_association" "data" {
  cluster_arn     = aws_msk_cluster.data.arn
  secret_arn_list = [aws_secretsmanager_secret.data["kafka"].arn]

  depends_on = [aws_secretsmanager_secret_version.data]
}

# --- what values-eks.yaml reads -----------------------------------------------------------------------------------------

locals {
  postgres = "${aws_db_instance.data.address}:5432/a2llm?sslmode=require"

  secrets = {
    redis    = { password = random_password.data["redis"].result }
    database = { url = "postgresql+psycopg://recorder:${random_password.data["recorder"].result}@${local.postgres}" }
    readonly = { url = "postgresql+psycopg://reader:${random_password.data["reader"].result}@${local.postgres}" }
    kafka    = { username = "a2llm", password = random_password.data["kafka"].result }
  }
}

resource "aws_secretsmanager_secret" "data" {
  for_each = toset(["redis", "database", "readonly", "kafka"])

  name       = each.value == "kafka" ? "AmazonMSK_${var.name}" : "${var.name}/${each.value}"
  kms_key_id = each.value == "kafka" ? aws_kms_key.kafka.arn : null
}

resource "aws_secretsmanager_secret_version" "data" {
  for_each = aws_secretsmanager_secret.data

  secret_id     = each.value.id
  secret_string = jsonencode(local.secrets[each.key])
}
