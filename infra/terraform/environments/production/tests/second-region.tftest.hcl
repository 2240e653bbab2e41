# Run with second-region.tfvars.
mock_provider "aws" {
  source = "../../testing"
}

variables {
  zone             = "example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "stands_by" {
  variables {
    load_balancer_name = "exchange-production"

    database_secret_arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:exchange-production-b/database-AbCdEf"

    application_key_replica_of = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = output.frontend == null && length(output.replica.bucket_arns) == 2
    error_message = "It has buckets to copy into, and no distribution of its own."
  }

  assert {
    condition     = var.region != "eu-central-1" && var.cidr != "10.20.0.0/16" && var.name != "exchange-production"
    error_message = "Another region, another network, other names."
  }
}
