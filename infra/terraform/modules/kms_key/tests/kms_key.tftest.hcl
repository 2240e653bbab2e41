mock_provider "aws" {
  source = "../../testing"
}

variables {
  name        = "exchange-test/data"
  description = "Test."
  services = {
    Logs  = { principal = "logs.eu-central-1.amazonaws.com", source_arn = "arn:aws:logs:eu-central-1:111122223333:*", context_key = "kms:EncryptionContext:aws:logs:arn" }
    Queue = { principal = "sns.amazonaws.com" }
  }
}

run "rotates_and_binds_services" {
  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "A key rotates."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this[0].policy).Statement : can(s.Condition) || s.Sid == "AccountAdministersByIam"])
    error_message = "A service may use the key for this account only."
  }
}

run "lets_in_a_linked_role_and_what_it_starts" {
  variables {
    roles = { AutoScaling = "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling" }
  }

  assert {
    condition = [for s in jsondecode(aws_kms_key.this[0].policy).Statement : s.Action if startswith(s.Sid, "AutoScaling")] == [
      ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], ["kms:CreateGrant"],
    ]
    error_message = "It uses the key, and lets disks use it: without the grant no node starts."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this[0].policy).Statement : s.Condition.Bool["kms:GrantIsForAWSResource"] == "true" if s.Sid == "AutoScalingLetsResourcesUse"])
    error_message = "Grants are for AWS's resources alone."
  }
}

run "refuses_a_short_deletion_window" {
  command = plan

  variables {
    deletion_window_days = 1
  }

  expect_failures = [var.deletion_window_days]
}

run "opens_what_was_sealed_in_the_other_region" {
  variables {
    replica_of = "arn:aws:kms:eu-central-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && aws_kms_replica_key.this[0].primary_key_arn == var.replica_of && output.arn == aws_kms_replica_key.this[0].arn
    error_message = "A replica instead of a key of its own."
  }
}

run "refuses_a_key_that_cannot_be_replicated" {
  command = plan

  variables {
    replica_of = "arn:aws:kms:eu-central-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"
  }

  expect_failures = [var.replica_of]
}
