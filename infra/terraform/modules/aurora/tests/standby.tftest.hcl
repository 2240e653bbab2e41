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

run "joins_a_global_database_by_switch" {
  variables {
    global_cluster = "exchange-global"
    global_primary = false
  }

  assert {
    condition     = aws_rds_cluster.this.global_cluster_identifier == "exchange-global" && aws_rds_cluster.this.manage_master_user_password == null && aws_rds_cluster.this.master_password_wo_version == null
    error_message = "The second region joins it."
  }
}
