mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test"
  bucket_prefix = "exchange-test-111122223333"
  redis_user    = "exchange-test"
}

run "a_key_for_each_kind_of_reader" {
  assert {
    condition     = toset(keys(output.key_arns)) == toset(["data", "secrets", "application", "logs", "audit"])
    error_message = "Five keys."
  }

  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : s.kms_key_id == output.key_arns["secrets"]])
    error_message = "Secrets are under our key."
  }

  assert {
    condition     = aws_cloudtrail.this[0].enable_log_file_validation && aws_cloudtrail.this[0].is_multi_region_trail && aws_cloudtrail.this[0].kms_key_id == output.key_arns["audit"]
    error_message = "The trail covers all regions, is validated and encrypted."
  }

  assert {
    condition     = aws_guardduty_detector.this[0].enable && length(aws_securityhub_account.this) == 1
    error_message = "Detection is on."
  }

  assert {
    condition     = aws_config_configuration_recorder_status.this[0].is_enabled && one(aws_accessanalyzer_analyzer.this).type == "ACCOUNT"
    error_message = "Security Hub has data to judge by."
  }

  assert {
    condition     = anytrue([for selector in aws_cloudtrail.this[0].advanced_event_selector : anytrue([for field in selector.field_selector : field.field == "resources.ARN" && contains(coalesce(field.starts_with, []), "arn:aws:s3:::exchange-test-111122223333-archive/")])])
    error_message = "Who writes to the archive is on the trail."
  }

  assert {
    condition     = length(aws_secretsmanager_secret_rotation.this) == 0
    error_message = "No rotation before its function is there."
  }
}

run "rotation_by_switch" {
  variables {
    rotation_package = { bucket = "artefacts", key = "rotation.zip", sha256_base64 = "MA==" }
  }

  assert {
    condition     = toset(keys(aws_secretsmanager_secret_rotation.this)) == toset(["redis"])
    error_message = "The secret is rotated."
  }

  assert {
    condition     = length(aws_lambda_permission.rotation) == 1 && aws_lambda_function.rotation[0].source_code_hash == "MA=="
    error_message = "Only Secrets Manager calls the function, for this secret; a new zip is noticed."
  }
}

run "guards_off_by_switch" {
  variables {
    account_guards = false
  }

  assert {
    condition     = length(aws_cloudtrail.this) == 0 && length(aws_guardduty_detector.this) == 0 && length(aws_securityhub_account.this) == 0
    error_message = "A second environment of an account has none."
  }
}

run "the_agent_on_nodes_by_switch" {
  variables {
    runtime_monitoring = true
  }

  assert {
    condition     = one(aws_guardduty_detector_feature.runtime[0].additional_configuration).name == "EKS_ADDON_MANAGEMENT" && aws_guardduty_detector_feature.runtime[0].status == "ENABLED"
    error_message = "GuardDuty puts the agent there itself."
  }
}
