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

resource "aws_securityhub_account" "this" {
  count = local.guards

  enable_default_standards = false
}

resource "aws_securityhub_standards_subscription" "this" {
  count = local.guards

  standards_arn = "${local.arn_base}:securityhub:${local.region}::standards/aws-foundational-security-best-practices/v/1.0.0"

  depends_on = [aws_securityhub_account.this]
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
}
