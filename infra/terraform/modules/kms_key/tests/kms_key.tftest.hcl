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
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "A key rotates."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : can(s.Condition) || s.Sid == "AccountAdministersByIam"])
    error_message = "A service may use the key for this account only."
  }
}

run "refuses_a_short_deletion_window" {
  command = plan

  variables {
    deletion_window_days = 1
  }

  expect_failures = [var.deletion_window_days]
}
