# Like production in kind, smaller in size, and free to be torn down.
module "exchange" {
  source = "../../modules/exchange"

  name                = "exchange-staging"
  protected           = false
  account_guards      = var.account_guards
  zone                = var.zone
  host                = "api.staging.${var.zone}"
  web_host            = "trade.staging.${var.zone}"
  cidr                = "10.30.0.0/16"
  nat_gateways        = "single"
  image_repository    = var.image_repository
  image_digest        = var.image_digest
  rotation_package    = var.rotation_package
  load_balancer_name  = var.load_balancer_name
  administrators      = var.administrators
  control_plane_cidrs = var.control_plane_cidrs
  alarm_emails        = var.alarm_emails
  database_authority  = var.database_authority

  size = {
    # 8 GiB: an engine of 2 GiB, its node's own share, and what stands on every node.
    engine_instance_types   = ["m8g.large"]
    engine_nodes            = { min = 2, max = 3 }
    base_instance_types     = ["t4g.large"]
    base_nodes              = { min = 2, max = 4 }
    stateless_nodes         = { min = 2, max = 6 }
    kafka_instance_type     = "kafka.t3.small"
    kafka_volume_gib        = 50
    database_instance_class = "db.t4g.medium"
    database_readers        = 1
    database_readers_max    = 2
    redis_node_type         = "cache.t4g.small"
    redis_replicas          = 1
  }
}
