mock_provider "aws" {
  source = "../../testing"
}

variables {
  name        = "exchange-test-db"
  description = "Test."
  vpc_id      = "vpc-1"
  ports       = { postgresql = 5432 }
  clients     = { cluster = "sg-cluster", jobs = "sg-jobs" }
}

run "clients_by_reference_only" {
  assert {
    condition     = aws_security_group.this.name_prefix == "exchange-test-db-"
    error_message = "A replacement does not collide with the name of what it replaces."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.this)) == toset(["cluster-postgresql", "jobs-postgresql"])
    error_message = "One rule for each client and port."
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.this : r.cidr_ipv4 == null && r.from_port == 5432])
    error_message = "Clients are groups, never networks."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.this) == 0 && length(aws_vpc_security_group_ingress_rule.members) == 0
    error_message = "Nothing more than was asked for."
  }
}

run "refuses_what_ec2_would_refuse" {
  command = plan

  variables {
    description = "The broker's group"
  }

  expect_failures = [var.description]
}
