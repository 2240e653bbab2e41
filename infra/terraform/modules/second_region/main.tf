# What joins two regions and belongs to neither.

# One pair of addresses for the world, that does not change when a region is lost.
resource "aws_globalaccelerator_accelerator" "this" {
  count = length(var.load_balancers) == 0 ? 0 : 1

  name            = var.name
  ip_address_type = "IPV4"
  enabled         = true

  attributes {
    flow_logs_enabled   = var.flow_log_bucket != null
    flow_logs_s3_bucket = var.flow_log_bucket
    flow_logs_s3_prefix = var.flow_log_bucket == null ? null : "accelerator/"
  }
}

resource "aws_globalaccelerator_listener" "https" {
  count = length(aws_globalaccelerator_accelerator.this)

  accelerator_arn = aws_globalaccelerator_accelerator.this[0].arn
  protocol        = "TCP"
  # A stream comes back to the region that it began in.
  client_affinity = "SOURCE_IP"

  port_range {
    from_port = 443
    to_port   = 443
  }
}

resource "aws_globalaccelerator_endpoint_group" "region" {
  for_each = var.load_balancers

  listener_arn                  = aws_globalaccelerator_listener.https[0].arn
  endpoint_group_region         = each.key
  health_check_protocol         = "HTTPS"
  health_check_path             = "/readyz"
  health_check_port             = 443
  health_check_interval_seconds = 10
  threshold_count               = 3
  # Orders are decided where the engine leads: the other region gets traffic only when that one is gone.
  traffic_dial_percentage = each.key == var.leading_region ? 100 : var.standby_traffic_percent

  endpoint_configuration {
    endpoint_id                    = each.value
    weight                         = 100
    client_ip_preservation_enabled = true
  }
}

# Its name. The accelerator stands in front of both regions; who wants the nearest one, or the leading one, by name has
# the records of modules/edge.
resource "aws_route53_record" "this" {
  count = length(aws_globalaccelerator_accelerator.this)

  zone_id = var.zone_id
  name    = var.host
  type    = "A"

  alias {
    name                   = aws_globalaccelerator_accelerator.this[0].dns_name
    zone_id                = aws_globalaccelerator_accelerator.this[0].hosted_zone_id
    evaluate_target_health = true
  }
}
