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

module "accounts" {
  source = "../http_api"

  name          = "${var.name}-accounts"
  description   = "Accounts of people who signed in with Cognito"
  web_host      = var.web_host
  methods       = ["DELETE", "GET", "POST", "PUT"]
  headers       = ["authorization", "content-type"]
  jwt_issuer    = var.jwt_issuer
  jwt_audience  = var.jwt_audience
  rate          = var.accounts_rate
  log_group_arn = aws_cloudwatch_log_group.this.arn
  routes        = { "ANY /v1/{proxy+}" = { integration_id = aws_apigatewayv2_integration.accounts.id, signed_in = true } }
}

resource "aws_apigatewayv2_integration" "accounts" {
  api_id               = module.accounts.id
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

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/api-gateway"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}
