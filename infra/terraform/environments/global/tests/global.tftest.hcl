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
}

run "two_regions" {
  variables {
    second_region = {
      name           = "eu-west-1"
      load_balancers = { eu-central-1 = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1", eu-west-1 = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/exchange/1" }
      kafka = {
        source = { arn = "arn:aws:kafka:eu-central-1:111122223333:cluster/exchange/a-1", subnet_ids = ["subnet-a"], security_group_id = "sg-a" }
        target = { arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/exchange/b-1", subnet_ids = ["subnet-b"], security_group_id = "sg-b", region = "eu-west-1" }
      }
    }
  }

  assert {
    condition     = length(module.second_region) == 1
    error_message = "The regions are joined."
  }
}
