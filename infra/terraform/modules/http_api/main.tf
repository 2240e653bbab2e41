# An HTTP API of API Gateway, in front of whatever its caller integrates: tokens of Cognito where a route asks for them,
# bounds for all and for single routes, a line a call in a log. By our names alone (modules/public_name).
resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = var.description
  protocol_type = "HTTP"
  # Else every caller could go around the records of its names.
  disable_execute_api_endpoint = true

  cors_configuration {
    allow_origins  = ["https://${var.web_host}"]
    allow_methods  = var.methods
    allow_headers  = var.headers
    expose_headers = var.exposed_headers
    max_age        = 3600
  }
}

resource "aws_apigatewayv2_authorizer" "this" {
  api_id           = aws_apigatewayv2_api.this.id
  name             = "cognito"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audience
  }
}

resource "aws_apigatewayv2_route" "this" {
  for_each = var.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${each.value.integration_id}"
  authorization_type = each.value.signed_in ? "JWT" : "NONE"
  authorizer_id      = each.value.signed_in ? aws_apigatewayv2_authorizer.this.id : null
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.rate
    throttling_burst_limit   = 2 * var.rate
    detailed_metrics_enabled = true
  }

  dynamic "route_settings" {
    for_each = { for route, each in var.routes : route => each.rate if each.rate != null }

    content {
      route_key                = route_settings.key
      throttling_rate_limit    = route_settings.value
      throttling_burst_limit   = 2 * route_settings.value
      detailed_metrics_enabled = true
    }
  }

  access_log_settings {
    destination_arn = var.log_group_arn
    format          = jsonencode({ requestId = "$context.requestId", route = "$context.routeKey", status = "$context.status", address = "$context.identity.sourceIp", latencyMs = "$context.responseLatency" })
  }

  # Bounds of a route that is not there are refused.
  depends_on = [aws_apigatewayv2_route.this]
}
