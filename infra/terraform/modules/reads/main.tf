locals {
  # A function of the image for each kind of store, and what of the API it answers.
  functions = merge(
    {
      history = {
        handler     = "services.market_history.aws_lambda.main.read"
        description = "Candles and trades, from the tables of market history"
        routes      = ["GET /api/v3/klines", "GET /api/v3/historicalTrades"]
        signed_in   = false
        vpc         = null
        statements = [
          { Effect = "Allow", Action = ["dynamodb:Query"], Resource = values(var.history.table_arns) },
          { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.history.key_arn] },
        ]
        environment = { EXCHANGE_MARKET_HISTORY = "dynamodb:${var.history.tables["candles"]},${var.history.tables["trades"]}" }
      }
    },
    var.database == null ? {} : {
      statements = {
        handler     = "services.user.aws_lambda.main.statement"
        description = "An account's statement of a month, from a reader of the database"
        routes      = ["GET /v1/statements/{month}"]
        signed_in   = true
        vpc         = { subnet_ids = var.database.subnet_ids, security_group_ids = [module.security_group[0].id] }
        # As one user of the database, which may read (services/migrations/rights.py).
        statements = [{ Effect = "Allow", Action = ["rds-db:connect"], Resource = [var.database.user_arn] }]
        environment = {
          EXCHANGE_DATABASE_READER_DSN = "postgresql://exchange_statements@${var.database.host}:${var.database.port}/${var.database.name}?sslmode=verify-full&sslrootcert=/tmp/database-authority.pem"
          EXCHANGE_DATABASE_TOKENS     = "true"
          DATABASE_AUTHORITY           = var.database.authority
        }
      }
    },
  )
  routes = merge([for name, function in local.functions : { for route in function.routes : route => name }]...)
  # One for whoever is nearest, and one a region: what its health check asks, and whoever wants to see how far behind it is.
  hosts = { nearest = "reads.${var.api_host}", region = "reads-${data.aws_region.this.region}.${var.api_host}" }
}

data "aws_region" "this" {}

module "security_group" {
  source = "../security_group"
  count  = var.database == null ? 0 : 1

  name        = "${var.name}-statements"
  description = "The function for statements"
  vpc_id      = var.database.vpc_id
  egress      = { database = { cidr = var.database.vpc_cidr, port = var.database.port } }
}

module "function" {
  source   = "../lambda_image"
  for_each = local.functions

  name            = "${var.name}-${each.key}"
  description     = each.value.description
  image_uri       = var.image_uri
  handler         = each.value.handler
  vpc             = each.value.vpc
  statements      = each.value.statements
  environment     = each.value.environment
  logs_key_arn    = var.logs_key_arn
  secrets_key_arn = var.secrets_key_arn
}

resource "aws_apigatewayv2_api" "this" {
  name          = "${var.name}-reads"
  description   = "Statements, and reads of the market that every region answers"
  protocol_type = "HTTP"
  # By our names alone: else every caller could go around their records.
  disable_execute_api_endpoint = true

  cors_configuration {
    allow_origins  = ["https://${var.web_host}"]
    allow_methods  = ["GET"]
    allow_headers  = ["authorization"]
    expose_headers = ["exchange-as-of"]
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

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.functions

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = module.function[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.routes

  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
  authorization_type = local.functions[each.value].signed_in ? "JWT" : "NONE"
  authorizer_id      = local.functions[each.value].signed_in ? aws_apigatewayv2_authorizer.this.id : null
}

resource "aws_lambda_permission" "this" {
  for_each = local.functions

  function_name = module.function[each.key].name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/reads"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
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

  # Each call opens connections of its own, and a month is summed up over all that the account ever did.
  dynamic "route_settings" {
    for_each = toset([for route, name in local.routes : route if local.functions[name].signed_in])

    content {
      route_key                = route_settings.value
      throttling_rate_limit    = 5
      throttling_burst_limit   = 10
      detailed_metrics_enabled = true
    }
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.this.arn
    format          = jsonencode({ requestId = "$context.requestId", route = "$context.routeKey", status = "$context.status", address = "$context.identity.sourceIp", latencyMs = "$context.responseLatency" })
  }

  depends_on = [aws_apigatewayv2_route.this]
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

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each = local.hosts

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[each.key].domain_name
  stage       = aws_apigatewayv2_stage.this.id
}

resource "aws_route53_record" "region" {
  zone_id = var.zone_id
  name    = local.hosts["region"]
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.this["region"].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this["region"].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}

# A real read through the whole chain: function, key, table.
resource "aws_route53_health_check" "this" {
  type              = "HTTPS"
  fqdn              = aws_route53_record.region.name
  port              = 443
  resource_path     = var.health_path
  enable_sni        = true
  request_interval  = 30
  failure_threshold = 3

  tags = { Name = "${var.name}-reads" }
}

resource "aws_route53_record" "nearest" {
  zone_id         = var.zone_id
  name            = local.hosts["nearest"]
  type            = "A"
  set_identifier  = data.aws_region.this.region
  health_check_id = aws_route53_health_check.this.id

  latency_routing_policy {
    region = data.aws_region.this.region
  }

  alias {
    name                   = aws_apigatewayv2_domain_name.this["nearest"].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this["nearest"].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
