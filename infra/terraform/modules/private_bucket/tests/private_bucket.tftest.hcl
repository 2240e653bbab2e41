mock_provider "aws" {
  source = "../../testing"
}

variables {
  name        = "exchange-test-archive"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/data"
}

run "private_versioned_encrypted" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "No public access in any of the four ways."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "Versioned."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "Under our key."
  }

  assert {
    condition     = length([for s in jsondecode(aws_s3_bucket_policy.this.policy).Statement : s if s.Effect == "Deny" && can(s.Condition.Bool["aws:SecureTransport"])]) == 1
    error_message = "TLS only."
  }

  assert {
    condition     = length(aws_s3_bucket_object_lock_configuration.this) == 0 && !aws_s3_bucket.this.force_destroy
    error_message = "Locks and forced deletion are asked for, never given."
  }
}

run "locked_and_tiered_by_switch" {
  variables {
    object_lock = { mode = "COMPLIANCE", days = 2555 }
    tiers       = { cold = { prefix = "events/", transitions = { GLACIER_IR = 90, DEEP_ARCHIVE = 365 }, expire_days = 3650 } }
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 2555
    error_message = "Write-once."
  }

  assert {
    condition     = toset([for t in aws_s3_bucket_lifecycle_configuration.this.rule[1].transition : t.storage_class]) == toset(["GLACIER_IR", "DEEP_ARCHIVE"])
    error_message = "Old objects go to Glacier."
  }
}

run "refuses_a_name_with_dots" {
  command = plan

  variables {
    name = "exchange.archive"
  }

  expect_failures = [var.name]
}
