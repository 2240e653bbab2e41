mock_provider "aws" {
  source = "../../testing"
}

variables {
  name         = "exchange-test"
  vpc_id       = "vpc-1"
  vpc_cidr     = "10.20.0.0/16"
  subnet_ids   = ["subnet-a", "subnet-b", "subnet-c"]
  clients      = { cluster = "sg-cluster" }
  kms_key_arn  = "arn:aws:kms:eu-central-1:111122223333:key/data"
  logs_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "loses_nothing_that_it_acknowledged" {
  assert {
    condition = alltrue([for line in [
      "min.insync.replicas=2", "unclean.leader.election.enable=false", "auto.create.topics.enable=false",
      "default.replication.factor=3", "delete.topic.enable=true",
    ] : contains(split("\n", aws_msk_configuration.this.server_properties), line)])
    error_message = "The brokers' own settings keep the promise."
  }

  assert {
    condition     = aws_msk_cluster.this.number_of_broker_nodes == 3 && length(aws_msk_cluster.this.broker_node_group_info[0].client_subnets) == 3
    error_message = "Three brokers in three zones."
  }
}

run "tls_and_known_clients_only" {
  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].client_broker == "TLS" && aws_msk_cluster.this.encryption_info[0].encryption_in_transit[0].in_cluster
    error_message = "TLS to clients and between brokers."
  }

  assert {
    condition     = aws_msk_cluster.this.encryption_info[0].encryption_at_rest_kms_key_arn == var.kms_key_arn
    error_message = "Our key on disk."
  }

  assert {
    condition     = !aws_msk_cluster.this.client_authentication[0].unauthenticated && aws_msk_cluster.this.client_authentication[0].sasl[0].scram != true && aws_msk_cluster.this.client_authentication[0].sasl[0].iam
    error_message = "Roles alone: nobody with a password, nobody without."
  }

  assert {
    condition     = aws_msk_cluster.this.broker_node_group_info[0].connectivity_info[0].public_access[0].type == "DISABLED"
    error_message = "No public access."
  }
}

run "refuses_two_zones" {
  command = plan

  variables {
    subnet_ids = ["subnet-a", "subnet-b"]
  }

  expect_failures = [aws_msk_cluster.this]
}
