# What all environments and regions share: the zone, the images, the money, and what joins two regions.
resource "aws_route53_zone" "this" {
  name    = var.zone
  comment = "The exchange"
  # Its name servers stand at the registrar: a zone that still has records cannot be deleted.
  force_destroy = false
}

# The name of production's regions is proved to ACM by one record, the same for the certificate of each: made here, so that
# taking a region down does not end the other's renewals. This certificate is what the record is read from, and is free.
resource "aws_acm_certificate" "api" {
  domain_name               = "api.${var.zone}"
  subject_alternative_names = ["*.api.${var.zone}"]
  validation_method         = "DNS"
  key_algorithm             = "EC_prime256v1"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "api_validation" {
  zone_id         = aws_route53_zone.this.zone_id
  name            = one(distinct([for option in aws_acm_certificate.api.domain_validation_options : option.resource_record_name]))
  type            = "CNAME"
  records         = distinct([for option in aws_acm_certificate.api.domain_validation_options : option.resource_record_value])
  ttl             = 300
  allow_overwrite = true
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

# Builds the image of each commit, and compares AWS with the main branch every night.
module "delivery" {
  source = "../../modules/delivery"
  count  = var.delivery == null ? 0 : 1

  name            = "exchange"
  repository      = var.delivery.repository
  repository_url  = module.registry.urls["exchange"]
  repository_arn  = module.registry.arns["exchange"]
  state           = { bucket = var.delivery.state_bucket, region = var.region }
  environments    = var.delivery.environments
  tools_image     = var.delivery.tools_image
  terraform_image = var.delivery.terraform_image
  emails          = var.emails
}

module "cost" {
  source = "../../modules/cost"

  name        = "exchange"
  emails      = var.emails
  budgets     = var.budgets
  anomaly_usd = var.anomaly_usd
  tags        = var.cost_tags

  anomaly_monitor_arn = var.anomaly_monitor_arn
}

module "second_region" {
  source = "../../modules/second_region"
  count  = var.second_region == null ? 0 : 1

  name                    = "exchange"
  leading_region          = var.region
  load_balancers          = var.second_region.load_balancers
  standby_traffic_percent = var.second_region.standby_traffic_percent
  zone_id                 = aws_route53_zone.this.zone_id
  host                    = "world.api.${var.zone}"
}

# The users' tables of both regions. It is made empty, and the first cluster that joins writes; which one writes later
# is decided by a failover, so that no region's plan makes or unmakes it in the middle of one.
resource "aws_rds_global_cluster" "this" {
  count = var.global_database == null ? 0 : 1

  global_cluster_identifier = var.global_database.name
  engine                    = "aurora-postgresql"
  engine_version            = var.global_database.engine_version
  database_name             = "exchange"
  storage_encrypted         = true
  deletion_protection       = var.global_database.protected
}

# API Gateway writes its logs by one role for each account and region: without it no stage that logs can be made.
module "gateway_logs_role" {
  source = "../../modules/service_role"

  name             = "exchange-api-gateway-logs"
  description      = "API Gateway, writing its logs"
  service          = "apigateway.amazonaws.com"
  managed_policies = { logs = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs" }
}

resource "aws_api_gateway_account" "this" {
  for_each = toset(compact([var.region, try(var.second_region.name, null)]))

  region              = each.key
  cloudwatch_role_arn = module.gateway_logs_role.arn
}
