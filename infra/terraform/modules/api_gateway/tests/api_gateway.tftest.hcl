mock_provider "aws" {
  source = "../../testing"
}

variables {
  name              = "exchange-test"
  vpc_id            = "vpc-1"
  vpc_cidr          = "10.20.0.0/16"
  subnet_ids        = ["subnet-a", "subnet-b", "subnet-c"]
  load_balancer_arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1"
  listener_arn      = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/exchange/1/2"
  api_host          = "api.example.com"
  certificate_arn   = "arn:aws:acm:eu-central-1:111122223333:certificate/1"
  zone_id           = "Z1"
  web_host          = "trade.example.com"
  jwt_issuer        = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test"
  jwt_audience      = ["web"]
  web_acl_arn       = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/a/1"
  logs_key_arn      = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "tokens_keys_quotas_and_a_cache" {
  assert {
    condition     = module.accounts.authorizations == { "ANY /v1/{proxy+}" = "JWT" }
    error_message = "A token before anything enters."
  }

  assert {
    condition     = aws_api_gateway_method.get.api_key_required && length(aws_api_gateway_usage_plan.this) == 3 && alltrue([for p in aws_api_gateway_usage_plan.this : one(p.quota_settings).period == "DAY"])
    error_message = "Keys with quotas."
  }

  assert {
    condition     = aws_api_gateway_stage.live.cache_cluster_enabled && aws_api_gateway_method_settings.live.settings[0].cache_data_encrypted && aws_api_gateway_method_settings.live.settings[0].cache_ttl_in_seconds == 1
    error_message = "A short, encrypted cache."
  }

  assert {
    condition     = contains(aws_api_gateway_integration.get.cache_key_parameters, "method.request.querystring.symbol")
    error_message = "One symbol's answer is not another's."
  }

  assert {
    condition     = aws_api_gateway_integration.get.request_parameters["integration.request.header.Host"] == "'api.example.com'"
    error_message = "The load balancer's rules go by host."
  }

  assert {
    condition     = aws_apigatewayv2_integration.accounts.tls_config[0].server_name_to_verify == var.api_host
    error_message = "TLS to the load balancer, verified."
  }
}

run "by_our_names_alone" {
  assert {
    condition     = aws_api_gateway_rest_api.market_data.disable_execute_api_endpoint
    error_message = "No way around the names."
  }

  assert {
    condition     = output.accounts_url == "https://accounts.api.example.com" && output.market_data_url == "https://data.api.example.com" && alltrue([for name in module.public_name : name.is_nearest])
    error_message = "Names that the certificate covers."
  }
}

run "no_cache_by_switch" {
  variables {
    cache_gib = null
  }

  assert {
    condition     = !aws_api_gateway_stage.live.cache_cluster_enabled && !aws_api_gateway_method_settings.live.settings[0].caching_enabled
    error_message = "Off."
  }
}
