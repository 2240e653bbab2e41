# One region of production. A second one is this same folder with another state and second-region.tfvars.
module "exchange" {
  source = "../../modules/exchange"

  name                = var.name
  protected           = true
  leads               = var.leads
  zone                = var.zone
  host                = "api.${var.zone}"
  validation_record   = false # Of both regions: environments/global has it.
  account_guards      = var.account_guards
  web_host            = "trade.${var.zone}"
  other_hosts         = var.other_hosts
  cidr                = var.cidr
  nat_gateways        = "per_zone"
  image_repository    = var.image_repository
  image_digest        = var.image_digest
  rotation_package    = var.rotation_package
  load_balancer_name  = var.load_balancer_name
  administrators      = var.administrators
  control_plane_cidrs = var.control_plane_cidrs
  alarm_emails        = var.alarm_emails
  api_gateway         = var.switches.api_gateway
  lake                = var.switches.lake
  tools               = var.switches.tools
  bot_control         = var.switches.bot_control
  shield_advanced     = var.switches.shield_advanced
  blocked_countries   = var.blocked_countries
  frontend            = var.frontend
  other_issuers       = var.other_issuers

  application_key_replica_of = var.application_key_replica_of

  other_audiences = var.other_audiences
  global_database = var.multi_region ? "exchange-global" : null
  storage_replica = var.storage_replica

  database_password   = var.database_password
  database_secret_arn = var.database_secret_arn
  second_pool_region  = var.second_pool_region
  history_replicas    = var.history_replicas
  history_replica_of  = var.history_replica_of
  database_authority  = var.database_authority
  stateless_on_spot   = var.switches.spot
  mail                = var.switches.mail
  own_disks_key       = var.switches.own_disks_key
  runtime_monitoring  = var.switches.runtime_monitoring
  backup              = var.backup
  size                = var.size
}
