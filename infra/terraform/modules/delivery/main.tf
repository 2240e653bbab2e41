# What builds, scans and signs the image of each commit, and looks every night whether AWS is as the main branch says.
# It deploys nothing: an apply is read by a person first (docs/deploy.md).
data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account  = data.aws_caller_identity.this.account_id
  region   = data.aws_region.this.region
  arn_base = "arn:${data.aws_partition.this.partition}"
  # What each project may do, beside writing its log and reading the repository.
  projects = {
    image = {
      description = "Builds, scans and signs the exchange's image of a commit"
      buildspec   = "infra/delivery/image.yml"
      type        = "ARM_CONTAINER"
      image       = var.builder_image
      # Docker runs in it.
      privileged  = true
      timeout_min = 45
      managed     = {}
      statements = [
        { Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
        {
          Effect = "Allow"
          Action = [
            "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
            "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
          ]
          Resource = [var.repository_arn]
        },
        { Effect = "Allow", Action = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"], Resource = [aws_kms_key.signing.arn] },
      ]
      environment = { REPOSITORY = var.repository_url, SIGNING_KEY = aws_kms_alias.signing.name, TOOLS_IMAGE = var.tools_image == null ? "" : var.tools_image }
    }
    plan = {
      description = "Compares what is in AWS with the main branch"
      buildspec   = "infra/delivery/plan.yml"
      type        = "ARM_CONTAINER"
      image       = var.terraform_image
      privileged  = false
      timeout_min = 60
      # Reads everything but the values of secrets, and no state holds one of those.
      managed     = { read = "${local.arn_base}:iam::aws:policy/ReadOnlyAccess" }
      statements  = []
      environment = { ENVIRONMENTS = join(" ", var.environments), STATE = var.state.bucket, STATE_REGION = var.state.region }
    }
  }
}

# Signatures outlive the key's use: it is asymmetric, and whoever checks needs its public half alone.
resource "aws_kms_key" "signing" {
  description              = "Signatures of the exchange's images"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = 30
}

resource "aws_kms_alias" "signing" {
  name          = "alias/exchange-images"
  target_key_id = aws_kms_key.signing.key_id
}

module "key" {
  source = "../kms_key"

  name        = "${var.name}/delivery"
  description = "Logs of builds, and what is told of them"
  services = {
    CloudWatchLogs = {
      principal   = "logs.${local.region}.amazonaws.com"
      source_arn  = "${local.arn_base}:logs:${local.region}:${local.account}:log-group:*"
      context_key = "kms:EncryptionContext:aws:logs:arn"
    }
    Events        = { principal = "events.amazonaws.com" }
    Notifications = { principal = "sns.amazonaws.com" }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.projects

  name              = "/aws/codebuild/${var.name}-${each.key}"
  retention_in_days = 90
  kms_key_id        = module.key.arn
}

module "role" {
  source   = "../service_role"
  for_each = local.projects

  name             = "${var.name}-delivery-${each.key}"
  description      = each.value.description
  service          = "codebuild.amazonaws.com"
  trust_condition  = { StringEquals = { "aws:SourceAccount" = local.account } }
  managed_policies = each.value.managed
  statements = concat(each.value.statements, [
    { Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.this[each.key].arn}:*"] },
    { Effect = "Allow", Action = ["codeconnections:GetConnection", "codeconnections:GetConnectionToken", "codeconnections:UseConnection"], Resource = [var.repository.connection_arn] },
  ])
}

resource "aws_codebuild_project" "this" {
  for_each = local.projects

  name                   = "${var.name}-${each.key}"
  description            = each.value.description
  service_role           = module.role[each.key].arn
  build_timeout          = each.value.timeout_min
  concurrent_build_limit = 1
  encryption_key         = module.key.arn

  artifacts {
    type = "NO_ARTIFACTS"
  }

  source {
    type            = var.repository.type
    location        = var.repository.url
    buildspec       = each.value.buildspec
    git_clone_depth = 1

    auth {
      type     = "CODECONNECTIONS"
      resource = var.repository.connection_arn
    }
  }

  source_version = var.repository.branch

  # The values that each environment was applied with, as docs/deploy.md keeps them beside its state.
  dynamic "secondary_sources" {
    for_each = each.key == "plan" ? [var.state.bucket] : []

    content {
      type              = "S3"
      source_identifier = "values"
      location          = "${secondary_sources.value}/values/"
    }
  }

  environment {
    compute_type                = "BUILD_GENERAL1_MEDIUM"
    type                        = each.value.type
    image                       = each.value.image
    image_pull_credentials_type = startswith(each.value.image, "aws/codebuild/") ? "CODEBUILD" : "SERVICE_ROLE"
    privileged_mode             = each.value.privileged

    dynamic "environment_variable" {
      for_each = each.value.environment

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this[each.key].name
    }
  }
}

resource "aws_codebuild_webhook" "image" {
  project_name = aws_codebuild_project.this["image"].name
  build_type   = "BUILD"

  filter_group {
    filter {
      type    = "EVENT"
      pattern = "PUSH"
    }

    filter {
      type    = "HEAD_REF"
      pattern = "^refs/heads/${var.repository.branch}$"
    }
  }
}

module "starts_plan" {
  source = "../service_role"

  name            = "${var.name}-delivery-nightly"
  description     = "Starts the nightly comparison"
  service         = "scheduler.amazonaws.com"
  trust_condition = { StringEquals = { "aws:SourceAccount" = local.account } }
  statements      = [{ Effect = "Allow", Action = ["codebuild:StartBuild"], Resource = [aws_codebuild_project.this["plan"].arn] }]
}

resource "aws_scheduler_schedule" "plan" {
  name                = "${var.name}-plan"
  description         = "Is there in AWS what the main branch says?"
  schedule_expression = "cron(17 3 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.this.partition}:scheduler:::aws-sdk:codebuild:startBuild"
    role_arn = module.starts_plan.arn
    input    = jsonencode({ ProjectName = aws_codebuild_project.this["plan"].name })
  }
}

resource "aws_sns_topic" "failures" {
  name              = "${var.name}-delivery"
  kms_master_key_id = module.key.arn
}

resource "aws_sns_topic_policy" "failures" {
  arn = aws_sns_topic.failures.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Events"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.failures.arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.failures.arn } }
    }]
  })
}

resource "aws_sns_topic_subscription" "failures" {
  for_each = var.emails

  topic_arn = aws_sns_topic.failures.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_event_rule" "failures" {
  name        = "${var.name}-delivery-failures"
  description = "A build or the nightly comparison failed"
  event_pattern = jsonencode({
    source        = ["aws.codebuild"]
    "detail-type" = ["CodeBuild Build State Change"]
    detail = {
      "build-status" = ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"]
      "project-name" = [for project in aws_codebuild_project.this : project.name]
    }
  })
}

resource "aws_cloudwatch_event_target" "failures" {
  rule = aws_cloudwatch_event_rule.failures.name
  arn  = aws_sns_topic.failures.arn
}
