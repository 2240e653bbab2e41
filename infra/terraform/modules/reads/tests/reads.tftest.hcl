mock_provider "aws" {
  source = "../../testing"
}

variables {
  name            = "exchange-test"
  image_uri       = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange@sha256:0f0f"
  api_host        = "api.example.com"
  web_host        = "trade.example.com"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/1"
  zone_id         = "Z1"
  jwt_issuer      = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test"
  jwt_audience    = ["web"]
  logs_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  secrets_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
  history = {
    tables     = { candles = "x-candles", trades = "x-trades" }
    table_arns = { candles = "arn:aws:dynamodb:eu-central-1:111122223333:table/x-candles", trades = "arn:aws:dynamodb:eu-central-1:111122223333:table/x-trades" }
    key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/data"
  }
}

run "statements_need_a_token_and_reads_of_the_market_do_not" {
  variables {
    database = {
      host       = "reader.example.com"
      port       = 5432
      name       = "exchange"
      user_arn   = "arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_statements"
      vpc_id     = "vpc-1"
      vpc_cidr   = "10.20.0.0/16"
      subnet_ids = ["subnet-a"]
      authority  = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    }
  }

  assert {
    condition     = module.http_api.authorizations == { "GET /v1/statements/{month}" = "JWT", "GET /api/v3/klines" = "NONE", "GET /api/v3/historicalTrades" = "NONE" }
    error_message = "What is somebody's is asked for with a token."
  }

  assert {
    condition     = module.public_name["nearest"].host == "reads.api.example.com" && module.public_name["nearest"].is_nearest && !module.public_name["region"].is_nearest && aws_route53_health_check.this.fqdn == "reads-eu-central-1.api.example.com"
    error_message = "The nearest region that can read answers; each is asked by a name of its own."
  }
}

run "without_a_database_only_the_market" {
  assert {
    condition     = keys(module.function) == ["history"] && output.security_group_id == null
    error_message = "No function that nobody could answer."
  }
}
