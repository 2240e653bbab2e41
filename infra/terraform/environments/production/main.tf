# One region of production. A second one is this same folder with another state and second-region.tfvars.
module "exchange" {
  source = "../../modules/exchange"

  name                = "exchange-production"
  protected           = true
  leads               = var.leads
  zone                = var.zone
  host                = "api.${var.zone}"
  web_host            = "trade.${var.zone}"
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
  second_region       = var.second_region
  global_database     = var.second_region == null ? null : "exchange-global"
  storage_replica     = var.storage_replica
  size                = var.size
}
