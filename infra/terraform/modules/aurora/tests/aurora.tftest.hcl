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

run "encrypted_protected_private" {
  assert {
    condition     = aws_rds_cluster.this.storage_encrypted && aws_rds_cluster.this.kms_key_id == var.kms_key_arn
    error_message = "Storage is under our key."
  }

  assert {
    condition     = alltrue([for i in aws_rds_cluster_instance.this : i.publicly_accessible == false && i.performance_insights_kms_key_id == var.kms_key_arn])
    error_message = "No instance is public."
  }

  assert {
    condition     = one([for p in aws_rds_cluster_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"]) == "1"
    error_message = "TLS is forced."
  }

  assert {
    condition     = toset([for i in aws_rds_cluster_instance.this : i.availability_zone]) == toset(var.zones)
    error_message = "An instance in each of three zones."
  }

  assert {
    condition     = aws_rds_cluster.this.deletion_protection && !aws_rds_cluster.this.skip_final_snapshot
    error_message = "Protected unless told otherwise."
  }

  assert {
    condition     = aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_password == null
    error_message = "Terraform knows no password."
  }

  assert {
    condition     = alltrue([for i in aws_rds_cluster_instance.this : !i.auto_minor_version_upgrade])
    error_message = "Nobody but a plan changes the version."
  }

  assert {
    condition     = aws_rds_cluster.this.backup_retention_period >= 7
    error_message = "Restore to any second of a week at least."
  }

  assert {
    condition     = aws_appautoscaling_target.readers.min_capacity == 2 && aws_appautoscaling_target.readers.max_capacity == 4
    error_message = "Readers scale."
  }
}

run "refuses_to_stand_without_a_failover_target" {
  command = plan

  variables {
    readers = 0
  }

  expect_failures = [var.readers]
}
