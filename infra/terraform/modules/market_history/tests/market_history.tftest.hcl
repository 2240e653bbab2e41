mock_provider "aws" {
  source = "../../testing"
}

variables {
  name        = "exchange-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/data"
}

run "on_demand_encrypted_recoverable" {
  assert {
    condition     = alltrue([for t in aws_dynamodb_table.this : t.billing_mode == "PAY_PER_REQUEST" && t.server_side_encryption[0].kms_key_arn == var.kms_key_arn && t.point_in_time_recovery[0].enabled && t.ttl[0].enabled && t.deletion_protection_enabled])
    error_message = "On demand, under our key, recoverable, expiring, protected."
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) == 0
    error_message = "Nothing to scale."
  }
}

run "provisioned_and_scaled_by_switch" {
  variables {
    capacity        = { read_min = 50, read_max = 500, write_min = 100, write_max = 2000 }
    replica_regions = { "eu-west-1" = "arn:aws:kms:eu-west-1:111122223333:key/data" }
  }

  assert {
    condition     = length(aws_appautoscaling_policy.this) == 4 && alltrue([for t in aws_dynamodb_table.this : t.billing_mode == "PROVISIONED" && t.stream_enabled && length(t.replica) == 1])
    error_message = "Both tables scale, and have a copy."
  }
}
