mock_provider "aws" {
  source = "../../testing"
}

variables {
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/images"
}

run "immutable_scanned_encrypted" {
  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.image_tag_mutability == "IMMUTABLE" && r.image_scanning_configuration[0].scan_on_push && r.encryption_configuration[0].kms_key == var.kms_key_arn])
    error_message = "Tags stay, images are scanned, under our key."
  }

  assert {
    condition     = aws_ecr_registry_scanning_configuration.this.scan_type == "ENHANCED" && length(aws_ecr_replication_configuration.this) == 0
    error_message = "Scanned again and again; copied only by switch."
  }
}

run "copies_by_switch" {
  variables {
    replica_regions = ["eu-west-1"]
  }

  assert {
    condition     = aws_ecr_replication_configuration.this[0].replication_configuration[0].rule[0].destination[0].region == "eu-west-1"
    error_message = "A copy in the second region."
  }
}
