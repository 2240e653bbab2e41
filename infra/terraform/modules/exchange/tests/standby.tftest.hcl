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

run "the_other_region_stands_by" {
  variables {
    leads           = false
    frontend        = false
    global_database = "exchange-global"

    database_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:exchange-production-b/database-AbCdEf"
    cidr                = "10.21.0.0/16"
    other_hosts         = ["world.api.example.com"]

    application_key_replica_of = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = length(module.frontend) == 0 && output.frontend == null
    error_message = "One distribution for the world."
  }

  assert {
    condition     = contains(yamldecode(output.helm_values).ingress.otherHosts, "world.api.example.com")
    error_message = "The load balancer answers a name that it has no rule for with 404."
  }
}
