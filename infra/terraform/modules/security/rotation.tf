# infra/functions/rotation/handler.py, as a zip in a bucket. Until it is there, secrets stay empty.
locals {
  rotates = var.rotation_package == null ? 0 : 1
}

resource "aws_cloudwatch_log_group" "rotation" {
  count = local.rotates

  name              = "/aws/lambda/${var.name}-rotation"
  retention_in_days = 365
  kms_key_id        = module.key["logs"].arn
}

module "rotation_role" {
  source = "../service_role"
  count  = local.rotates

  name        = "${var.name}-rotation"
  description = "The function that rotates the password of Redis"
  service     = "lambda.amazonaws.com"
  statements = [
    {
      Effect = "Allow"
      Action = [
        "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      Resource = [for secret in aws_secretsmanager_secret.this : secret.arn]
    },
    # Drawing random characters concerns no resource.
    { Effect = "Allow", Action = ["secretsmanager:GetRandomPassword"], Resource = "*" },
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [module.key["secrets"].arn] },
    {
      Effect   = "Allow"
      Action   = ["elasticache:DescribeUsers", "elasticache:ModifyUser"]
      Resource = ["${local.arn_base}:elasticache:${local.region}:${local.account}:user:${var.redis_user}"]
    },
    {
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.rotation[0].arn}:*"]
    },
    { Effect = "Allow", Action = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
  ]
}

resource "aws_lambda_function" "rotation" {
  count = local.rotates

  function_name     = "${var.name}-rotation"
  description       = "Draws new passwords for Redis"
  role              = module.rotation_role[0].arn
  runtime           = "python3.13"
  architectures     = ["arm64"]
  handler           = "handler.rotate"
  s3_bucket         = var.rotation_package.bucket
  s3_key            = var.rotation_package.key
  s3_object_version = var.rotation_package.version
  source_code_hash  = var.rotation_package.sha256_base64
  timeout           = 60
  memory_size       = 256
  kms_key_arn       = module.key["secrets"].arn

  environment {
    variables = {
      REDIS_USER_ID = var.redis_user
    }
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_cloudwatch_log_group.rotation]
}

resource "aws_lambda_permission" "rotation" {
  for_each = var.rotation_package == null ? {} : aws_secretsmanager_secret.this

  function_name  = aws_lambda_function.rotation[0].function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account
  source_arn     = each.value.arn
}
