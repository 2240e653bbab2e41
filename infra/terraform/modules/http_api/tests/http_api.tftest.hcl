mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test-reads"
  description   = "Test."
  web_host      = "trade.example.com"
  methods       = ["GET"]
  headers       = ["authorization"]
  jwt_issuer    = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test"
  jwt_audience  = ["web"]
  rate          = 100
  log_group_arn = "arn:aws:logs:eu-central-1:111122223333:log-group:a"
  routes = {
    "GET /v1/mine" = { integration_id = "a", signed_in = true, rate = 5 }
    "GET /v1/all"  = { integration_id = "b", signed_in = false }
  }
}

run "a_token_where_it_is_asked_for_and_bounds_for_all" {
  assert {
    condition     = output.authorizations == { "GET /v1/mine" = "JWT", "GET /v1/all" = "NONE" } && aws_apigatewayv2_route.this["GET /v1/all"].target == "integrations/b"
    error_message = "What is somebody's is asked for with a token."
  }

  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 100 && [for each in aws_apigatewayv2_stage.this.route_settings : [each.route_key, each.throttling_rate_limit]] == [["GET /v1/mine", 5]]
    error_message = "A route may have a bound of its own."
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && aws_apigatewayv2_api.this.cors_configuration[0].allow_origins == toset(["https://trade.example.com"])
    error_message = "By our names, from our pages."
  }

  assert {
    condition     = aws_apigatewayv2_authorizer.this.jwt_configuration[0].issuer == var.jwt_issuer && length(aws_apigatewayv2_stage.this.access_log_settings) == 1
    error_message = "Whose tokens, and a line a call."
  }
}
