module "security_group" {
  source = "../security_group"

  name        = "${var.name}-redis"
  description = "ElastiCache"
  vpc_id      = var.vpc_id
  ports       = { redis = 6379 }
  clients     = var.clients
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-${var.parameter_family}"
  family      = var.parameter_family
  description = "Cluster mode; what carries no expiry is never evicted"

  dynamic "parameter" {
    for_each = {
      "cluster-enabled" = "yes"
      # Books and balances have no expiry and must not vanish by memory pressure; rate windows and sessions have one.
      "maxmemory-policy" = var.eviction
    }

    content {
      name  = parameter.key
      value = parameter.value
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The one user. Its name is "default", so that a client needs the password alone. It begins switched off and may do
# nothing; the rotation function of modules/security switches it on together with its first password, which stays in
# Secrets Manager: none passes through Terraform. IAM is no beginning: it wants id and name to be equal.
# Its engine is "redis" though the servers are Valkey, which take both: a group of engine "valkey" has no room for a
# user without a password, not even one that is off (https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html).
resource "aws_elasticache_user" "exchange" {
  user_id              = var.user_id
  user_name            = "default"
  engine               = "redis"
  access_string        = "off -@all"
  no_password_required = true

  lifecycle {
    ignore_changes = [access_string, authentication_mode, no_password_required, passwords]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "redis"
  user_ids      = [aws_elasticache_user.exchange.user_id]
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Hot books, balances, sessions and rate windows of the exchange"
  engine               = var.engine
  engine_version       = var.engine_version
  node_type            = var.node_type
  port                 = 6379
  parameter_group_name = aws_elasticache_parameter_group.this.name

  cluster_mode               = "enabled"
  num_node_groups            = var.shards
  replicas_per_node_group    = var.replicas
  automatic_failover_enabled = true
  multi_az_enabled           = true

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [module.security_group.id]
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn

  auto_minor_version_upgrade = true
  maintenance_window         = "sun:04:30-sun:05:30"
  # Sessions only would be missed; everything else is written anew from the logs.
  snapshot_retention_limit = var.snapshot_days
  snapshot_window          = "01:00-02:00"

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.this.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/redis"
  retention_in_days = 30
  kms_key_id        = var.logs_key_arn
}
