locals {
  connections_environment = {
    CONNECTIONS_TABLE = aws_dynamodb_table.connections.name
    JWT_ISSUERS       = join(",", var.jwt_issuers)
    JWT_AUDIENCE      = join(",", var.jwt_audience)
  }
}

# Account notices to browsers. Market data stays on the load balancer, which has no price per message.
resource "aws_dynamodb_table" "connections" {
  name                        = "${var.name}-connections"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "connection_id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "connection_id"
    type = "S"
  }

  # The identity whose token opened the connection: issuer|subject.
  attribute {
    name = "owner"
    type = "S"
  }

  global_secondary_index {
    name            = "by_owner"
    hash_key        = "owner"
    projection_type = "KEYS_ONLY"
  }

  # API Gateway ends a connection after two hours; a row that was left behind goes by itself.
  ttl {
    attribute_name = "expires_at_s"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.data_key_arn
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_apigatewayv2_api" "notices" {
  count = local.functions

  name                       = "${var.name}-notices"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
}

module "connections" {
  source = "../lambda_image"
  count  = local.functions

  name            = "${var.name}-connections"
  description     = "Checks the token of a browser that connects, remembers and forgets its connection"
  image_uri       = var.image_uri
  handler         = var.handlers.connections
  logs_key_arn    = var.logs_key_arn
  secrets_key_arn = var.secrets_key_arn
  environment     = local.connections_environment
  statements = [
    { Effect = "Allow", Action = ["dynamodb:DeleteItem", "dynamodb:PutItem"], Resource = [aws_dynamodb_table.connections.arn] },
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.data_key_arn] },
  ]
}

resource "aws_apigatewayv2_authorizer" "notices" {
  count = local.functions

  api_id           = aws_apigatewayv2_api.notices[0].id
  name             = "token"
  authorizer_type  = "REQUEST"
  authorizer_uri   = module.connections[0].invoke_arn
  identity_sources = ["route.request.querystring.token"]
}

resource "aws_apigatewayv2_integration" "notices" {
  count = local.functions

  api_id             = aws_apigatewayv2_api.notices[0].id
  integration_type   = "AWS_PROXY"
  integration_method = "POST"
  integration_uri    = module.connections[0].invoke_arn
}

resource "aws_apigatewayv2_route" "notices" {
  for_each = var.image_uri == null ? [] : toset(["$connect", "$disconnect"])

  api_id             = aws_apigatewayv2_api.notices[0].id
  route_key          = each.key
  target             = "integrations/${aws_apigatewayv2_integration.notices[0].id}"
  authorization_type = each.key == "$connect" ? "CUSTOM" : "NONE"
  authorizer_id      = each.key == "$connect" ? aws_apigatewayv2_authorizer.notices[0].id : null
}

resource "aws_lambda_permission" "notices" {
  count = local.functions

  function_name = module.connections[0].name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.notices[0].execution_arn}/*"
}

resource "aws_cloudwatch_log_group" "notices" {
  count = local.functions

  name              = "/aws/vendedlogs/${var.name}/notices"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

resource "aws_apigatewayv2_stage" "notices" {
  count = local.functions

  api_id      = aws_apigatewayv2_api.notices[0].id
  name        = "live"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit    = 500
    throttling_burst_limit   = 1000
    detailed_metrics_enabled = true
    logging_level            = "ERROR"
  }

  # Not the query string: it holds the token.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.notices[0].arn
    format = jsonencode({
      requestId = "$context.requestId", event = "$context.eventType", connection = "$context.connectionId"
      address   = "$context.identity.sourceIp", status = "$context.status"
    })
  }
}
