# Account-wide guards: on in one environment of each account and region, because each exists there only once.
locals {
  guards = var.account_guards ? 1 : 0
}

resource "aws_guardduty_detector" "this" {
  count = local.guards

  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
}

resource "aws_guardduty_detector_feature" "this" {
  for_each = var.account_guards ? toset(["EBS_MALWARE_PROTECTION", "EKS_AUDIT_LOGS", "LAMBDA_NETWORK_LOGS", "RDS_LOGIN_EVENTS", "S3_DATA_EVENTS"]) : []

  detector_id = aws_guardduty_detector.this[0].id
  name        = each.key
  status      = "ENABLED"
}

# An agent on every node, which GuardDuty puts there itself: it sees what processes do, with rights over all of them.
resource "aws_guardduty_detector_feature" "runtime" {
  count = var.account_guards && var.runtime_monitoring ? 1 : 0

  detector_id = aws_guardduty_detector.this[0].id
  name        = "RUNTIME_MONITORING"
  status      = "ENABLED"

  additional_configuration {
    name   = "EKS_ADDON_MANAGEMENT"
    status = "ENABLED"
  }
}

# What Security Hub's controls look at: how each resource is, and was.
resource "aws_config_configuration_recorder" "this" {
  count = local.guards

  name     = var.name
  role_arn = module.config_role[0].arn

  recording_group {
    all_supported                 = true
    include_global_resource_types = true
  }

  # Once a day, not at every change: a cluster changes its network interfaces all the time, and each change costs.
  recording_mode {
    recording_frequency = "DAILY"
  }
}

resource "aws_config_delivery_channel" "this" {
  count = local.guards

  name           = var.name
  s3_bucket_name = module.config_bucket[0].name

  depends_on = [aws_config_configuration_recorder.this]
}

resource "aws_config_configuration_recorder_status" "this" {
  count = local.guards

  name       = aws_config_configuration_recorder.this[0].name
  is_enabled = true

  depends_on = [aws_config_delivery_channel.this]
}

module "config_role" {
  source = "../service_role"
  count  = local.guards

  name             = "${var.name}-config"
  description      = "AWS Config, reading how everything is"
  service          = "config.amazonaws.com"
  trust_condition  = { StringEquals = { "aws:SourceAccount" = local.account } }
  managed_policies = { config = "${local.arn_base}:iam::aws:policy/service-role/AWS_ConfigRole" }
  statements = [
    { Effect = "Allow", Action = ["s3:GetBucketAcl", "s3:ListBucket"], Resource = [module.config_bucket[0].arn] },
    { Effect = "Allow", Action = ["s3:PutObject"], Resource = ["${module.config_bucket[0].arn}/AWSLogs/${local.account}/*"] },
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [module.key["audit"].arn] },
  ]
}

module "config_bucket" {
  source = "../private_bucket"
  count  = local.guards

  name          = "${var.bucket_prefix}-config"
  kms_key_arn   = module.key["audit"].arn
  force_destroy = var.force_destroy
  tiers         = { old = { transitions = { GLACIER_IR = 90 }, expire_days = 2555 } }
}

# Whatever of ours somebody outside the account may reach.
resource "aws_accessanalyzer_analyzer" "this" {
  count = local.guards

  analyzer_name = var.name
  type          = "ACCOUNT"
}

resource "aws_securityhub_account" "this" {
  count = local.guards

  enable_default_standards = false
}

resource "aws_securityhub_standards_subscription" "this" {
  count = local.guards

  standards_arn = "${local.arn_base}:securityhub:${local.region}::standards/aws-foundational-security-best-practices/v/1.0.0"

  depends_on = [aws_securityhub_account.this, aws_config_configuration_recorder_status.this]
}

module "trail_bucket" {
  source = "../private_bucket"
  count  = local.guards

  name          = "${var.bucket_prefix}-cloudtrail"
  kms_key_arn   = module.key["audit"].arn
  force_destroy = var.force_destroy
  object_lock   = var.audit_lock
  tiers         = { old = { transitions = { GLACIER_IR = 90 } } }
  statements = [
    {
      Sid       = "TrailChecks"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:GetBucketAcl"
      Resource  = [""]
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
    {
      Sid       = "TrailWrites"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = ["/AWSLogs/${local.account}/*"]
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
  ]
}

resource "aws_cloudwatch_log_group" "trail" {
  count = local.guards

  name              = "/${var.name}/cloudtrail"
  retention_in_days = 365
  kms_key_id        = module.key["logs"].arn
}

module "trail_role" {
  source = "../service_role"
  count  = local.guards

  name            = "${var.name}-cloudtrail"
  description     = "CloudTrail, into its log group"
  service         = "cloudtrail.amazonaws.com"
  trust_condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
  statements = [{
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${aws_cloudwatch_log_group.trail[0].arn}:*"]
  }]
}

resource "aws_cloudtrail" "this" {
  count = local.guards

  name                          = var.name
  s3_bucket_name                = module.trail_bucket[0].name
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  kms_key_id                    = module.key["audit"].arn
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.trail[0].arn}:*"
  cloud_watch_logs_role_arn     = module.trail_role[0].arn

  advanced_event_selector {
    name = "What is done to the account"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  # Who changed or took away what the exchange can be made from. Reads are the exchange's own, thousands a day.
  advanced_event_selector {
    name = "Writes to our buckets"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field  = "readOnly"
      equals = ["false"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = [for bucket in ["archive", "snapshots"] : "${local.arn_base}:s3:::${var.bucket_prefix}-${bucket}/"]
    }
  }
}
