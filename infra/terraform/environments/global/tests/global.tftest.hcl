mock_provider "aws" {
  source = "../../testing"
}

variables {
  zone   = "example.com"
  emails = ["ops@example.com"]
}

run "one_region" {
  assert {
    condition     = keys(output.repositories) == ["exchange"] && length(output.addresses) == 0
    error_message = "One registry, no accelerator."
  }

  assert {
    condition     = keys(aws_api_gateway_account.this) == ["eu-central-1"] && length(aws_rds_global_cluster.this) == 0
    error_message = "API Gateway may log; one database."
  }
}

run "money_is_watched_where_it_is_spent" {
  assert {
    condition     = contains(var.budgets.network.services, "EC2 - Other") && contains(var.budgets.network.services, "Amazon Virtual Private Cloud")
    error_message = "NAT gateways are billed as EC2 - Other."
  }
}

run "two_regions" {
  variables {
    global_database = {}

    second_region = {
      name           = "eu-west-1"
      load_balancers = { eu-central-1 = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1", eu-west-1 = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/exchange/1" }
    }
  }

  assert {
    condition     = length(module.second_region) == 1
    error_message = "The regions are joined."
  }

  assert {
    condition     = keys(aws_api_gateway_account.this) == ["eu-central-1", "eu-west-1"] && aws_rds_global_cluster.this[0].deletion_protection
    error_message = "In both regions API Gateway may log; the users' tables have a common home."
  }
}

run "delivery_by_switch" {
  variables {
    delivery = {
      repository   = { url = "https://git.example.com/exchange/exchange.git", connection_arn = "arn:aws:codeconnections:eu-central-1:111122223333:connection/1" }
      state_bucket = "exchange-terraform-state-111122223333"
    }
  }

  assert {
    condition     = module.delivery[0].projects == { image = "exchange-image", plan = "exchange-plan" }
    error_message = "Images and the nightly comparison."
  }
}
