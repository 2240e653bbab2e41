# Public market data for programs that would rather have a key and a quota of their own than share an address's limit.
locals {
  # The parameters that make one answer differ from another: what is not listed is not part of the cache's key.
  parameters = ["symbol", "symbols", "interval", "limit", "startTime", "endTime", "fromId", "timeZone", "type"]
  plans = {
    free   = { rate = 5, burst = 20, daily = 50000 }
    maker  = { rate = 200, burst = 400, daily = 10000000 }
    vendor = { rate = 1000, burst = 2000, daily = 50000000 }
  }
}

resource "aws_api_gateway_rest_api" "market_data" {
  name        = "${var.name}-market-data"
  description = "Public market data with keys, quotas and a cache"

  disable_execute_api_endpoint = true

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_resource" "parts" {
  rest_api_id = aws_api_gateway_rest_api.market_data.id
  parent_id   = aws_api_gateway_rest_api.market_data.root_resource_id
  path_part   = "api"
}

resource "aws_api_gateway_resource" "version" {
  rest_api_id = aws_api_gateway_rest_api.market_data.id
  parent_id   = aws_api_gateway_resource.parts.id
  path_part   = "v3"
}

resource "aws_api_gateway_resource" "endpoint" {
  rest_api_id = aws_api_gateway_rest_api.market_data.id
  parent_id   = aws_api_gateway_resource.version.id
  path_part   = "{endpoint}"
}

resource "aws_api_gateway_method" "get" {
  rest_api_id      = aws_api_gateway_rest_api.market_data.id
  resource_id      = aws_api_gateway_resource.endpoint.id
  http_method      = "GET"
  authorization    = "NONE"
  api_key_required = true
  request_parameters = merge(
    { "method.request.path.endpoint" = true },
    { for name in local.parameters : "method.request.querystring.${name}" => false },
  )
}

resource "aws_api_gateway_integration" "get" {
  rest_api_id             = aws_api_gateway_rest_api.market_data.id
  resource_id             = aws_api_gateway_resource.endpoint.id
  http_method             = aws_api_gateway_method.get.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "GET"
  uri                     = "https://${var.api_host}/api/v3/{endpoint}"
  connection_type         = "VPC_LINK"
  connection_id           = aws_apigatewayv2_vpc_link.this.id
  integration_target      = var.load_balancer_arn
  timeout_milliseconds    = 10000
  request_parameters = {
    "integration.request.path.endpoint" = "method.request.path.endpoint"
    # Without it a private integration is asked for the stage's host.
    "integration.request.header.Host" = "'${var.api_host}'"
  }
  cache_key_parameters = concat(
    ["method.request.path.endpoint"],
    [for name in local.parameters : "method.request.querystring.${name}"],
  )
}

resource "aws_api_gateway_deployment" "market_data" {
  rest_api_id = aws_api_gateway_rest_api.market_data.id

  triggers = {
    redeployment = sha256(jsonencode([local.parameters, aws_api_gateway_integration.get.uri, aws_api_gateway_integration.get.connection_id]))
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_api_gateway_integration.get]
}

resource "aws_api_gateway_stage" "live" {
  rest_api_id           = aws_api_gateway_rest_api.market_data.id
  deployment_id         = aws_api_gateway_deployment.market_data.id
  stage_name            = "live"
  cache_cluster_enabled = var.cache_gib != null
  cache_cluster_size    = var.cache_gib
  xray_tracing_enabled  = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format          = jsonencode({ requestId = "$context.requestId", path = "$context.path", status = "$context.status", key = "$context.identity.apiKeyId", latencyMs = "$context.responseLatency" })
  }
}

resource "aws_api_gateway_method_settings" "live" {
  rest_api_id = aws_api_gateway_rest_api.market_data.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "ERROR"
    throttling_rate_limit  = var.market_data_rate
    throttling_burst_limit = 2 * var.market_data_rate
    caching_enabled        = var.cache_gib != null
    cache_data_encrypted   = true
    # A book that is a second old is what a poller can expect; who needs more subscribes to a stream.
    cache_ttl_in_seconds                       = 1
    require_authorization_for_cache_control    = true
    unauthorized_cache_control_header_strategy = "SUCCEED_WITHOUT_RESPONSE_HEADER"
  }
}

resource "aws_api_gateway_usage_plan" "this" {
  for_each = local.plans

  name = "${var.name}-${each.key}"

  api_stages {
    api_id = aws_api_gateway_rest_api.market_data.id
    stage  = aws_api_gateway_stage.live.stage_name
  }

  quota_settings {
    limit  = each.value.daily
    period = "DAY"
  }

  throttle_settings {
    rate_limit  = each.value.rate
    burst_limit = each.value.burst
  }
}

resource "aws_wafv2_web_acl_association" "live" {
  resource_arn = aws_api_gateway_stage.live.arn
  web_acl_arn  = var.web_acl_arn
}
