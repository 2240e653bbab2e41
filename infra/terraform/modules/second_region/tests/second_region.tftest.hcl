mock_provider "aws" {
  source = "../../testing"
}

variables {
  name           = "exchange"
  leading_region = "eu-central-1"
  zone_id        = "Z1"
  host           = "world.api.example.com"
}

run "nothing_with_one_region" {
  assert {
    condition     = length(aws_globalaccelerator_accelerator.this) == 0 && length(aws_route53_record.this) == 0
    error_message = "Off by default."
  }
}

run "both_by_switch" {
  variables {
    load_balancers = { eu-central-1 = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1", eu-west-1 = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/exchange/1" }
  }

  assert {
    condition     = aws_globalaccelerator_endpoint_group.region["eu-central-1"].traffic_dial_percentage == 100 && aws_globalaccelerator_endpoint_group.region["eu-west-1"].traffic_dial_percentage == 0
    error_message = "One region leads."
  }

  assert {
    condition     = aws_route53_record.this[0].name == "world.api.example.com" && one(aws_route53_record.this[0].alias).name == aws_globalaccelerator_accelerator.this[0].dns_name
    error_message = "A name leads to it."
  }
}
