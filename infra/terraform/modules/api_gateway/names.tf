# Names of our own, which the exchange's certificate covers (*.<api_host>): the accounts API and public market data.
locals {
  hosts = { accounts = "accounts.${var.api_host}", market-data = "data.${var.api_host}" }
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each = local.hosts

  domain_name = each.value

  domain_name_configuration {
    certificate_arn = var.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "accounts" {
  api_id      = aws_apigatewayv2_api.accounts.id
  domain_name = aws_apigatewayv2_domain_name.this["accounts"].domain_name
  stage       = aws_apigatewayv2_stage.accounts.id
}

resource "aws_apigatewayv2_api_mapping" "market_data" {
  api_id      = aws_api_gateway_rest_api.market_data.id
  domain_name = aws_apigatewayv2_domain_name.this["market-data"].domain_name
  stage       = aws_api_gateway_stage.live.stage_name
}

resource "aws_route53_record" "this" {
  for_each = local.hosts

  zone_id        = var.zone_id
  name           = each.value
  type           = "A"
  set_identifier = data.aws_region.this.region

  latency_routing_policy {
    region = data.aws_region.this.region
  }

  alias {
    name                   = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}

data "aws_region" "this" {}
