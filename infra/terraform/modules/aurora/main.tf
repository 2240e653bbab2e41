module "security_group" {
  source = "../security_group"

  name        = "${var.name}-aurora"
  description = "Aurora PostgreSQL"
  vpc_id      = var.vpc_id
  ports       = { postgresql = 5432 }
  clients     = var.clients
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_rds_cluster_parameter_group" "this" {
  name        = "${var.name}-aurora${local.major}"
  family      = "aurora-postgresql${local.major}"
  description = "TLS only, changes and slow statements in the log"

  dynamic "parameter" {
    for_each = merge({
      "rds.force_ssl"                       = "1"
      "log_min_duration_statement"          = "500"
      "log_statement"                       = "ddl"
      "log_connections"                     = "1"
      "shared_preload_libraries"            = "pg_stat_statements"
      "idle_in_transaction_session_timeout" = "30000"
    }, var.parameters)

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = parameter.key == "shared_preload_libraries" ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  major = split(".", var.engine_version)[0]
  # A cluster is the first of a global one, joins it as a copy, or stands alone. Which of two writes later is decided
  # by a failover and no matter of Terraform's.
  secondary = var.global_cluster != null && !var.global_primary
  # Once it is there, its password is none of Terraform's business: no later plan asks for it.
  first = var.global_cluster != null && !local.secondary && !contains(flatten(data.aws_rds_clusters.there[*].cluster_identifiers), var.name)
  # The writer and its readers, one zone after the other.
  instances = { for index in range(1 + var.readers) : tostring(index) => var.zones[index % length(var.zones)] }
}

data "aws_rds_clusters" "there" {
  count = var.global_cluster == null ? 0 : 1

  filter {
    name   = "db-cluster-id"
    values = [var.name]
  }
}

resource "aws_rds_cluster" "this" {
  cluster_identifier        = var.name
  global_cluster_identifier = var.global_cluster
  engine                    = "aurora-postgresql"
  engine_version            = var.engine_version
  database_name             = local.secondary ? null : var.database_name

  # Aurora draws, keeps and rotates the password in Secrets Manager; it is in no plan and no state. A global cluster
  # cannot have that: its first cluster is made with a password that is handed over once and written nowhere.
  master_username               = local.secondary ? null : "exchange"
  manage_master_user_password   = var.global_cluster == null ? true : null
  master_user_secret_kms_key_id = var.global_cluster == null ? var.secrets_key_arn : null
  master_password_wo            = var.global_cluster == null || local.secondary ? null : var.master_password
  master_password_wo_version    = var.global_cluster == null || local.secondary ? null : 1

  storage_encrypted = true
  kms_key_id        = var.kms_key_arn
  storage_type      = var.io_optimized ? "aurora-iopt1" : null

  db_subnet_group_name                = aws_db_subnet_group.this.name
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.this.name
  vpc_security_group_ids              = [module.security_group.id]
  iam_database_authentication_enabled = true

  backup_retention_period      = var.backup_days
  preferred_backup_window      = "02:00-03:00"
  preferred_maintenance_window = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot        = true
  deletion_protection          = var.deletion_protection
  skip_final_snapshot          = !var.deletion_protection
  final_snapshot_identifier    = var.deletion_protection ? "${var.name}-final" : null

  enabled_cloudwatch_logs_exports = ["postgresql"]
  allow_major_version_upgrade     = false
  apply_immediately               = false

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    # What a failover changes behind Terraform's back, and what a copy has of the original.
    ignore_changes = [global_cluster_identifier, replication_source_identifier, master_username, database_name]

    precondition {
      condition     = length(var.zones) == 3
      error_message = "A writer and readers stand in three zones."
    }

    precondition {
      condition     = !local.first || var.master_password != null
      error_message = "The first cluster of a global database is created with a password: set master_password (docs/deploy.md)."
    }
  }
}

resource "aws_rds_cluster_instance" "this" {
  for_each = local.instances

  identifier          = "${var.name}-${each.key}"
  cluster_identifier  = aws_rds_cluster.this.id
  engine              = aws_rds_cluster.this.engine
  engine_version      = aws_rds_cluster.this.engine_version
  instance_class      = var.instance_class
  availability_zone   = each.value
  promotion_tier      = tonumber(each.key)
  publicly_accessible = false
  # A version that AWS changes by itself is one that the next plan wants to go back from, which AWS refuses: it is changed
  # by a plan that somebody reads, in the window (docs/deploy.md).
  auto_minor_version_upgrade      = false
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.kms_key_arn
  monitoring_interval             = 30
  monitoring_role_arn             = module.monitoring_role.arn
  ca_cert_identifier              = "rds-ca-rsa2048-g1"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/rds/cluster/${var.name}/postgresql"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

module "monitoring_role" {
  source = "../service_role"

  name             = "${var.name}-aurora-monitoring"
  description      = "Enhanced monitoring of Aurora's instances"
  service          = "monitoring.rds.amazonaws.com"
  managed_policies = { monitoring = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole" }
}
