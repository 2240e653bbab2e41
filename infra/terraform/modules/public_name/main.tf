# A name of ours for an API of API Gateway: the name there, what it leads to, and the record.
resource "aws_apigatewayv2_domain_name" "this" {
  domain_name = var.host

  domain_name_configuration {
    certificate_arn = var.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  api_id      = var.api_id
  domain_name = aws_apigatewayv2_domain_name.this.domain_name
  stage       = var.stage
}

resource "aws_route53_record" "this" {
  zone_id         = var.zone_id
  name            = var.host
  type            = "A"
  set_identifier  = var.nearest == null ? null : var.nearest.region
  health_check_id = var.nearest == null ? null : var.nearest.health_check_id

  dynamic "latency_routing_policy" {
    for_each = var.nearest == null ? [] : [var.nearest.region]

    content {
      region = latency_routing_policy.value
    }
  }

  alias {
    name                   = aws_apigatewayv2_domain_name.this.domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this.domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
