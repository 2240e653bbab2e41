# What all environments and regions share: the zone, the images, the money, and what joins two regions.
resource "aws_route53_zone" "this" {
  name    = var.zone
  comment = "The exchange"
  # Its name servers stand at the registrar: a zone that still has records cannot be deleted.
  force_destroy = false
}

module "images_key" {
  source = "../../modules/kms_key"

  name        = "exchange/images"
  description = "Images of the exchange"
}

module "registry" {
  source = "../../modules/registry"

  kms_key_arn     = module.images_key.arn
  replica_regions = var.second_region == null ? [] : [var.second_region.name]
}

module "cost" {
  source = "../../modules/cost"

  name        = "exchange"
  emails      = var.emails
  budgets     = var.budgets
  anomaly_usd = var.anomaly_usd
  tags        = var.cost_tags
}

module "second_region" {
  source = "../../modules/second_region"
  count  = var.second_region == null ? 0 : 1

  name                    = "exchange"
  leading_region          = var.region
  load_balancers          = var.second_region.load_balancers
  standby_traffic_percent = var.second_region.standby_traffic_percent
  kafka                   = var.second_region.kafka
}
