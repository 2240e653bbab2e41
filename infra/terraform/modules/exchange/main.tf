# One region of the exchange, read from the outside in. An environment is a call of this module with its own figures.
data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

locals {
  region        = data.aws_region.this.region
  account       = data.aws_caller_identity.this.account_id
  bucket_prefix = "${var.name}-${local.account}-${local.region}"
  keys          = module.security.key_arns
  clients       = { cluster = module.eks.security_group_id }
  # Whose tokens are believed, by every part that is shown one.
  issuers  = concat(values(module.identity.issuers), var.other_issuers)
  audience = concat(values(module.identity.client_ids), var.other_audiences)
}

# Which region this state is of. The same folder serves two regions, each with a state of its own: a plan with the
# values of the other one would make everything there, and unmake everything here.
resource "terraform_data" "region" {
  input = local.region

  lifecycle {
    ignore_changes = [input]

    postcondition {
      condition     = self.output == local.region
      error_message = "This state is of another region than these values: TF_DATA_DIR and the files of values belong together (docs/deploy.md, \"In a new shell\")."
    }
  }
}

module "security" {
  source = "../security"

  name           = var.name
  bucket_prefix  = local.bucket_prefix
  account_guards = var.account_guards

  runtime_monitoring = var.runtime_monitoring

  application_key_replica_of = var.application_key_replica_of

  redis_user           = module.redis.user_id
  rotation_package     = var.rotation_package
  secret_recovery_days = var.protected ? 30 : 0
  audit_lock           = var.protected ? { mode = "COMPLIANCE", days = 365 } : null
  force_destroy        = !var.protected
}

# Machines are started by Auto Scaling, with whose linked role the key has to agree.
module "disks_key" {
  source = "../kms_key"
  count  = var.own_disks_key ? 1 : 0

  name        = "${var.name}/disks"
  description = "Disks of nodes"
  roles       = { AutoScaling = "arn:aws:iam::${local.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling" }
}

module "backup" {
  source = "../backup"
  count  = var.backup == null ? 0 : 1

  name           = var.name
  kms_key_arn    = local.keys["data"]
  resource_arns  = concat([module.aurora.arn], values(module.market_history.arns))
  kept_days      = var.backup.kept_days
  copy_vault_arn = var.backup.copy_vault_arn
  locked         = var.protected
  force_destroy  = !var.protected
}

module "network" {
  source = "../network"

  name         = var.name
  cidr         = var.cidr
  nat_gateways = var.nat_gateways
  logs_key_arn = local.keys["logs"]
}

module "eks" {
  source = "../eks"

  name                     = var.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  public_access_cidrs      = var.control_plane_cidrs
  administrators           = var.administrators
  kms_key_arn              = local.keys["secrets"]
  disks_key_arn            = one(module.disks_key[*].arn)
  logs_key_arn             = local.keys["logs"]
  secrets_key_arn          = local.keys["secrets"]
  secret_arns              = concat(values(module.security.secret_arns), [var.global_database == null ? module.aurora.secret_arn : var.database_secret_arn])
  metrics_statements       = module.observability.prometheus_statements
  telemetry_statements     = module.observability.collector_statements
  service_accounts         = local.service_accounts
  base_instance_types      = var.size.base_instance_types
  base_nodes               = var.size.base_nodes
  engine_instance_types    = var.size.engine_instance_types
  engine_nodes             = var.size.engine_nodes
  stateless_instance_types = var.size.stateless_instance_types
  stateless_nodes          = var.size.stateless_nodes
  stateless_on_spot        = var.stateless_on_spot
  deletion_protection      = var.protected
}

module "msk" {
  source = "../msk"

  name             = var.name
  vpc_id           = module.network.vpc_id
  vpc_cidr         = module.network.cidr
  subnet_ids       = module.network.intra_subnet_ids
  clients          = local.clients
  kms_key_arn      = local.keys["data"]
  logs_key_arn     = local.keys["logs"]
  instance_type    = var.size.kafka_instance_type
  brokers_per_zone = var.size.kafka_brokers_per_zone
  volume_gib       = var.size.kafka_volume_gib
}

module "aurora" {
  source = "../aurora"

  name                = var.name
  vpc_id              = module.network.vpc_id
  subnet_ids          = module.network.intra_subnet_ids
  zones               = module.network.zones
  clients             = merge(local.clients, local.image_uri == null || var.database_authority == null ? {} : { statements = module.reads[0].security_group_id })
  kms_key_arn         = local.keys["data"]
  secrets_key_arn     = local.keys["secrets"]
  logs_key_arn        = local.keys["logs"]
  instance_class      = var.size.database_instance_class
  readers             = var.size.database_readers
  readers_max         = var.size.database_readers_max
  io_optimized        = var.size.database_io_optimized
  backup_days         = var.protected ? 14 : 3
  deletion_protection = var.protected
  global_cluster      = var.global_database
  global_primary      = var.leads
  master_password     = var.database_password
}

module "redis" {
  source = "../redis"

  name         = var.name
  vpc_id       = module.network.vpc_id
  subnet_ids   = module.network.intra_subnet_ids
  clients      = local.clients
  kms_key_arn  = local.keys["data"]
  logs_key_arn = local.keys["logs"]
  user_id      = var.name
  node_type    = var.size.redis_node_type
  shards       = var.size.redis_shards
  replicas     = var.size.redis_replicas
}

module "storage" {
  source = "../storage"

  bucket_prefix = local.bucket_prefix
  kms_key_arn   = local.keys["data"]
  audit_lock    = var.protected ? { mode = "COMPLIANCE", days = 2555 } : null
  replica       = var.storage_replica
  force_destroy = !var.protected
}

module "market_history" {
  source = "../market_history"

  name                = var.name
  kms_key_arn         = local.keys["data"]
  capacity            = var.size.history_capacity
  replica_regions     = var.history_replicas
  deletion_protection = var.protected
}

module "identity" {
  source = "../identity"

  name                = var.name
  web_host            = var.web_host
  domain_prefix       = "${var.name}-${local.account}"
  second_region       = var.second_pool_region
  email               = var.mail ? { identity_arn = module.mail[0].identity_arn, from = module.mail[0].sender } : null
  deletion_protection = var.protected
}

# Codes of Cognito, in the name of the terminal.
module "mail" {
  source = "../mail"
  count  = var.mail ? 1 : 0

  domain  = var.web_host
  zone_id = module.edge.zone_id
  policy  = var.leads
}

module "messaging" {
  source = "../messaging"

  name                = var.name
  logs_key_arn        = local.keys["logs"]
  data_key_arn        = local.keys["data"]
  secrets_key_arn     = local.keys["secrets"]
  image_uri           = local.image_uri
  jwt_issuers         = local.issuers
  jwt_audience        = local.audience
  deletion_protection = var.protected
  mail                = one([for each in module.mail : { sender = each.sender, identity_arn = each.identity_arn }])
}

module "lake" {
  source = "../lake"
  count  = var.lake ? 1 : 0

  name              = var.name
  bucket_prefix     = local.bucket_prefix
  kms_key_arn       = local.keys["data"]
  logs_key_arn      = local.keys["logs"]
  shards            = var.size.lake_shards
  access_log_bucket = module.storage.access_logs.name
  force_destroy     = !var.protected
}

module "observability" {
  source = "../observability"

  name               = var.name
  emails             = var.alarm_emails
  logs_key_arn       = local.keys["logs"]
  msk_name           = var.name
  msk_brokers        = length(module.network.intra_subnet_ids) * var.size.kafka_brokers_per_zone
  aurora_id          = var.name
  redis_nodes        = module.redis.node_ids
  dead_letter_queues = { for name, queue in module.messaging.dead_letter_queues : name => queue.name }
  functions          = concat(module.messaging.functions, flatten(module.reads[*].functions), var.rotation_package == null ? [] : ["${var.name}-rotation"])
  tables             = concat(values(module.market_history.tables), [module.messaging.connections_table.name])
  streams            = var.lake ? ["${var.name}-market-data"] : []
  certificates       = { api = module.edge.certificate_arn }
  load_balancer      = one(data.aws_lb.ingress[*].arn_suffix)
  managed_prometheus = var.tools.prometheus
  prometheus_rules   = file("${path.module}/../../../../helm/exchange/files/alerts.yml")
  managed_grafana    = var.tools.grafana
  log_search         = var.tools.log_search
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.intra_subnet_ids
  clients            = local.clients

  replicated_buckets = var.storage_replica == null ? {} : {
    for name, arn in var.storage_replica.bucket_arns : name => { source = "${local.bucket_prefix}-${name}", destination = trimprefix(arn, "arn:aws:s3:::") }
  }
}
