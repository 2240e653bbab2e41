mock_provider "aws" {
  source = "../../testing"
}

variables {
  name         = "exchange-test"
  cidr         = "10.20.0.0/16"
  logs_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "three_zones_of_each_kind" {
  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_subnet.public) == 3 && length(aws_subnet.intra) == 3
    error_message = "Three zones, three kinds."
  }

  assert {
    condition     = length(distinct(concat(values(local.subnets.private), values(local.subnets.public), values(local.subnets.intra)))) == 9
    error_message = "Networks do not overlap."
  }

  assert {
    condition     = alltrue([for s in aws_subnet.public : s.map_public_ip_on_launch == false])
    error_message = "Nothing gets a public address by being there."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "A gateway a zone by default."
  }

  assert {
    condition     = length(distinct([for r in aws_route.nat : r.nat_gateway_id])) == 3
    error_message = "Each zone leaves by its own gateway."
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == var.logs_key_arn
    error_message = "Flow logs are under our key."
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default group lets nothing through."
  }
}

run "one_gateway_by_switch" {
  variables {
    nat_gateways = "single"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(distinct([for r in aws_route.nat : r.nat_gateway_id])) == 1
    error_message = "All zones share the one gateway."
  }
}

run "no_gateway_by_switch" {
  variables {
    nat_gateways = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0 && length(aws_vpc_endpoint.interface) > 5
    error_message = "Without NAT the endpoints remain."
  }
}

run "refuses_a_small_network" {
  command = plan

  variables {
    cidr = "10.0.0.0/24"
  }

  expect_failures = [var.cidr]
}
