mock_provider "aws" {
  source = "../../testing"
}

variables {
  name             = "exchange-test"
  protected        = true
  zone             = "example.com"
  host             = "api.example.com"
  web_host         = "trade.example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "the_first_of_a_global_database" {
  variables {
    global_database     = "exchange-global"
    database_password   = "drawn once"
    database_secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:exchange-production/database-AbCdEf"
  }

  assert {
    condition     = yamldecode(output.helm_values).global.database.secretName == var.database_secret_arn
    error_message = "Jobs find the owner's password where we keep it."
  }
}
