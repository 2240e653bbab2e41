data "aws_region" "this" {}

data "aws_route53_zone" "this" {
  name         = var.zone
  private_zone = false
}

locals {
  region = data.aws_region.this.region
  host   = var.host
  # Which record each name gets: reads go to the nearest region, orders to the one where the engine leads.
  records = var.load_balancer == null ? {} : {
    (local.host)           = "latency"
    "orders.${local.host}" = "failover"
  }
}

# The certificate of the load balancer. CloudFront's is made with the distribution, in the region that it insists on.
resource "aws_acm_certificate" "this" {
  domain_name               = local.host
  subject_alternative_names = ["*.${local.host}"]
  validation_method         = "DNS"
  key_algorithm             = "EC_prime256v1"

  lifecycle {
    create_before_destroy = true
  }
}

# The record is the same for a name in every region, so where there are two it is neither's: environments/global has it.
resource "aws_route53_record" "validation" {
  count = var.validation_record ? 1 : 0

  # One record serves the name and its wildcard.
  zone_id         = data.aws_route53_zone.this.zone_id
  name            = one(distinct([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name]))
  type            = "CNAME"
  records         = distinct([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value])
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = var.validation_record ? [aws_route53_record.validation[0].fqdn] : null
}

# Asks the whole exchange: /readyz is green only when every part is.
resource "aws_route53_health_check" "this" {
  count = var.load_balancer == null ? 0 : 1

  type              = "HTTPS"
  fqdn              = var.load_balancer.dns_name
  port              = 443
  resource_path     = "/readyz"
  enable_sni        = true
  request_interval  = 10
  failure_threshold = 3
  measure_latency   = true

  tags = { Name = "${var.name}-${local.region}" }
}

resource "aws_route53_record" "this" {
  for_each = local.records

  zone_id         = data.aws_route53_zone.this.zone_id
  name            = each.key
  type            = "A"
  set_identifier  = "${local.region}-${each.value}"
  health_check_id = aws_route53_health_check.this[0].id

  alias {
    name                   = var.load_balancer.dns_name
    zone_id                = var.load_balancer.zone_id
    evaluate_target_health = true
  }

  dynamic "latency_routing_policy" {
    for_each = each.value == "latency" ? [local.region] : []

    content {
      region = latency_routing_policy.value
    }
  }

  dynamic "failover_routing_policy" {
    for_each = each.value == "failover" ? [var.failover_role] : []

    content {
      type = failover_routing_policy.value
    }
  }
}

module "web_acl" {
  source = "../web_acl"

  name              = var.name
  description       = "The load balancer of the exchange"
  scope             = "REGIONAL"
  request_limit     = var.request_limit
  counted_elsewhere = var.counted_elsewhere
  bot_control       = var.bot_control
  blocked_countries = var.blocked_countries
  logs_key_arn      = var.logs_key_arn
}

# Shield Advanced costs a fixed sum a month for the whole organisation; standard protection is there without it.
resource "aws_shield_protection" "this" {
  for_each = var.shield_advanced && var.load_balancer != null ? { load_balancer = var.load_balancer.arn } : {}

  name         = "${var.name}-${each.key}"
  resource_arn = each.value
}
