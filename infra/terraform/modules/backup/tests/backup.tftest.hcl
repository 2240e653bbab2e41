mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test"
  kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/data"
  resource_arns = ["arn:aws:rds:eu-central-1:111122223333:cluster:exchange-test"]
}

run "daily_under_our_key_and_by_name" {
  assert {
    condition     = aws_backup_vault.this.kms_key_arn == var.kms_key_arn && aws_backup_selection.this.resources == toset(var.resource_arns) && one(aws_backup_plan.this.rule).lifecycle[0].delete_after == 35
    error_message = "Our key; what was named, and nothing that happens to bear a tag; five weeks."
  }

  assert {
    condition     = length(one(aws_backup_plan.this.rule).copy_action) == 0 && length(aws_backup_vault_lock_configuration.this) == 0
    error_message = "Copied elsewhere, and locked, by switch."
  }
}

run "copied_and_locked_by_switch" {
  variables {
    copy_vault_arn = "arn:aws:backup:eu-west-1:111122223333:backup-vault:exchange-test"
    locked         = true
  }

  assert {
    condition     = one(one(aws_backup_plan.this.rule).copy_action).destination_vault_arn == var.copy_vault_arn && aws_backup_vault_lock_configuration.this[0].min_retention_days == 35
    error_message = "A second vault; nothing goes before its time."
  }
}
