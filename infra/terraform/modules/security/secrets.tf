locals {
  # MSK takes only secrets with this prefix, under a key of ours.
  secrets = {
    kafka = "AmazonMSK_${var.name}"
    redis = "${var.name}/redis"
  }
}

# Containers only. Their values never pass through Terraform, so its state holds no password: the rotation function
# draws the first one, and every later one, inside AWS.
resource "aws_secretsmanager_secret" "this" {
  for_each = local.secrets

  name                    = each.value
  description             = "Credentials of the exchange for ${each.key}"
  kms_key_id              = module.key["secrets"].arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_arn          = each.value.arn
  block_public_policy = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "OnlyThisAccount"
        Effect    = "Deny"
        Principal = "*"
        Action    = "secretsmanager:GetSecretValue"
        Resource  = "*"
        Condition = {
          StringNotEquals = { "aws:PrincipalAccount" = local.account }
          Bool            = { "aws:PrincipalIsAWSService" = "false" }
        }
      }],
      each.key != "kafka" ? [] : [{
        Sid       = "BrokersRead"
        Effect    = "Allow"
        Principal = { Service = "kafka.amazonaws.com" }
        Action    = "secretsmanager:GetSecretValue"
        Resource  = each.value.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      }],
    )
  })
}

resource "aws_secretsmanager_secret_rotation" "this" {
  for_each = var.rotation_package == null ? {} : aws_secretsmanager_secret.this

  secret_id           = each.value.id
  rotation_lambda_arn = aws_lambda_function.rotation[0].arn
  rotate_immediately  = true

  rotation_rules {
    automatically_after_days = var.rotation_days
    duration                 = "2h"
  }

  depends_on = [aws_lambda_permission.rotation]
}
