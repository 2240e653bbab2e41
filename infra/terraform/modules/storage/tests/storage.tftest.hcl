mock_provider "aws" {
  source = "../../testing"
}

variables {
  bucket_prefix = "exchange-test-111122223333"
  kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/data"
}

run "three_buckets" {
  assert {
    condition     = output.archive.name != output.snapshots.name && endswith(output.archive.name, "-archive")
    error_message = "Archive and snapshots are apart."
  }

  assert {
    condition     = length(aws_s3_bucket_replication_configuration.this) == 0
    error_message = "No copies unless there is a second region."
  }
}

run "copies_to_a_second_region_by_switch" {
  variables {
    replica = {
      bucket_arns = { archive = "arn:aws:s3:::b-archive", snapshots = "arn:aws:s3:::b-snapshots" }
      kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/data"
    }
  }

  assert {
    condition     = toset(keys(aws_s3_bucket_replication_configuration.this)) == toset(["archive", "snapshots"])
    error_message = "Archive and snapshots are copied."
  }

  assert {
    condition     = alltrue([for c in aws_s3_bucket_replication_configuration.this : c.rule[0].destination[0].replication_time[0].status == "Enabled"])
    error_message = "Within a promised time."
  }
}

run "the_archive_can_always_be_read_at_once" {
  command = plan

  variables {
    archive_transitions = { GLACIER_IR = 90, DEEP_ARCHIVE = 365 }
  }

  expect_failures = [var.archive_transitions]
}
