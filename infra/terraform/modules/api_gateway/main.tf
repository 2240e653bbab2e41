# What API Gateway adds in front of the load balancer: tokens checked before a request enters the VPC, and plans with
# keys and a cache for public market data. Orders do not come this way: it would add milliseconds to each.

module "security_group" {
  source = "../security_group"

  name        = "${var.name}-vpc-link"
  description = "Way of API Gateway into the VPC"
  vpc_id      = var.vpc_id
  egress      = { load-balancer = { cidr = var.vpc_cidr, port = 443 } }
}

resource "aws_apigatewayv2_vpc_link" "this" {
  name               = var.name
  subnet_ids         = var.subnet_ids
  security_group_ids = [module.security_group.id]
}

resource "aws_apigatewayv2_api" "accounts" {
  name          = "${var.name}-accounts"
  description   = "Accounts of people who signed in with Cognito"
  protocol_type = "HTTP"
  # By our name alone: no way around what its record says.
  disable_execute_api_endpoint = true

  cors_configuration {
    allow_origins = ["https://${var.web_host}"]
    allow_methods = ["DELETE", "GET", "POST", "PUT"]
    allow_headers = ["authorization", "content-type"]
    max_age       = 3600
  }
}

resource "aws_apigatewayv2_authorizer" "accounts" {
  api_id           = aws_apigatewayv2_api.accounts.id
  name             = "cognito"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audience
  }
}

resource "aws_apigatewayv2_integration" "accounts" {
  api_id               = aws_apigatewayv2_api.accounts.id
  integration_type     = "HTTP_PROXY"
  integration_method   = "ANY"
  integration_uri      = var.listener_arn
  connection_type      = "VPC_LINK"
  connection_id        = aws_apigatewayv2_vpc_link.this.id
  timeout_milliseconds = 15000
  # The load balancer's rules go by host, and it would be told API Gateway's own.
  request_parameters = { "overwrite:header.Host" = var.api_host }

  tls_config {
    server_name_to_verify = var.api_host
  }
}

resource "aws_apigatewayv2_route" "accounts" {
  api_id             = aws_apigatewayv2_api.accounts.id
  route_key          = "ANY /v1/{proxy+}"
  target             = "integrations/${aws_apigatewayv2_integration.accounts.id}"
  authorization_type = "JWT"
  authorizer_id      = aws_apigatewayv2_authorizer.accounts.id
}

resource "aws_apigatewayv2_stage" "accounts" {
  api_id      = aws_apigatewayv2_api.accounts.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = var.accounts_rate
    throttling_burst_limit   = 2 * var.accounts_rate
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format          = jsonencode({ requestId = "$context.requestId", route = "$context.routeKey", status = "$context.status", address = "$context.identity.sourceIp", latencyMs = "$context.responseLatency" })
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/api-gateway"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}
