mock_provider "aws" {
  source = "../../testing"
}

variables {
  name            = "exchange-test"
  vpc_id          = "vpc-1"
  subnet_ids      = ["subnet-a", "subnet-b", "subnet-c"]
  zones           = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  clients         = { cluster = "sg-cluster" }
  kms_key_arn     = "arn:aws:kms:eu-central-1:111122223333:key/data"
  secrets_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
  logs_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "is_the_first_of_a_global_database_by_switch" {
  variables {
    global_cluster  = "exchange-global"
    master_password = "drawn once"
  }

  assert {
    condition     = aws_rds_cluster.this.global_cluster_identifier == "exchange-global" && aws_rds_cluster.this.manage_master_user_password == null && aws_rds_cluster.this.master_password == null && aws_rds_cluster.this.master_password_wo_version == 1
    error_message = "It begins with a password that is written nowhere."
  }
}

run "what_a_failover_changes_no_plan_wants_back" {
  variables {
    global_cluster  = "detached-and-joined-anew"
    master_password = "drawn once"
  }

  assert {
    condition     = aws_rds_cluster.this.global_cluster_identifier == "exchange-global"
    error_message = "Who belongs to which global database is decided by a failover."
  }
}

# In a new shell, and in the nightly comparison, nobody has that password.
run "once_it_is_there_no_plan_asks_for_its_password" {
  variables {
    global_cluster = "exchange-global"
  }

  override_data {
    target = data.aws_rds_clusters.there[0]
    values = { cluster_identifiers = ["exchange-test"] }
  }

  assert {
    condition     = aws_rds_cluster.this.master_password_wo_version == 1
    error_message = "And its password stays as it is."
  }
}

run "the_first_of_a_global_database_needs_a_password" {
  command = plan

  variables {
    global_cluster = "exchange-global"
  }

  expect_failures = [aws_rds_cluster.this]
}
