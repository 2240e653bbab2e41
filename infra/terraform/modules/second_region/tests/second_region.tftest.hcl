mock_provider "aws" {
  source = "../../testing"
}

variables {
  name           = "exchange"
  leading_region = "eu-central-1"
}

run "nothing_with_one_region" {
  assert {
    condition     = length(aws_globalaccelerator_accelerator.this) == 0 && length(aws_msk_replicator.this) == 0
    error_message = "Off by default."
  }
}

run "both_by_switch" {
  variables {
    load_balancers = { eu-central-1 = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1", eu-west-1 = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/exchange/1" }
    kafka = {
      source = { arn = "arn:aws:kafka:eu-central-1:111122223333:cluster/exchange/a-1", subnet_ids = ["subnet-a"], security_group_id = "sg-a" }
      target = { arn = "arn:aws:kafka:eu-west-1:111122223333:cluster/exchange/b-1", subnet_ids = ["subnet-b"], security_group_id = "sg-b", region = "eu-west-1" }
    }
  }

  assert {
    condition     = aws_globalaccelerator_endpoint_group.region["eu-central-1"].traffic_dial_percentage == 100 && aws_globalaccelerator_endpoint_group.region["eu-west-1"].traffic_dial_percentage == 0
    error_message = "One region leads."
  }

  assert {
    condition     = aws_msk_replicator.this[0].region == "eu-west-1" && aws_msk_replicator.this[0].replication_info_list[0].topic_replication[0].topic_name_configuration[0].type == "IDENTICAL"
    error_message = "The copy has the original's names."
  }
}
