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

module "http_api" {
  source = "../http_api"

  name            = "${var.name}-reads"
  description     = "Statements, and reads of the market that every region answers"
  web_host        = var.web_host
  methods         = ["GET"]
  headers         = ["authorization"]
  exposed_headers = ["exchange-as-of"]
  jwt_issuer      = var.jwt_issuer
  jwt_audience    = var.jwt_audience
  rate            = var.rate
  log_group_arn   = aws_cloudwatch_log_group.this.arn
  routes = { for route, name in local.routes : route => {
    integration_id = aws_apigatewayv2_integration.this[name].id
    signed_in      = local.functions[name].signed_in
    # Each call opens connections of its own, and a month is summed up over all that the account ever did.
    rate = local.functions[name].signed_in ? 5 : null
  } }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.functions

  api_id                 = module.http_api.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = module.function[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_lambda_permission" "this" {
  for_each = local.functions

  function_name = module.function[each.key].name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${module.http_api.execution_arn}/*"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/reads"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

module "public_name" {
  source   = "../public_name"
  for_each = local.hosts

  host            = each.value
  certificate_arn = var.certificate_arn
  zone_id         = var.zone_id
  api_id          = module.http_api.id
  stage           = module.http_api.stage
  nearest         = each.key == "region" ? null : { region = data.aws_region.this.region, health_check_id = aws_route53_health_check.this.id }
}

# A real read through the whole chain: function, key, table.
resource "aws_route53_health_check" "this" {
  type              = "HTTPS"
  fqdn              = local.hosts["region"]
  port              = 443
  resource_path     = var.health_path
  enable_sni        = true
  request_interval  = 30
  failure_threshold = 3

  tags = { Name = "${var.name}-reads" }
}
