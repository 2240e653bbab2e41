locals {
  secrets = { redis = "${var.name}/redis" }
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
    Statement = [{
      Sid       = "OnlyThisAccount"
      Effect    = "Deny"
      Principal = "*"
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
      Condition = {
        StringNotEquals = { "aws:PrincipalAccount" = local.account }
        Bool            = { "aws:PrincipalIsAWSService" = "false" }
      }
    }]
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

  # The first rotation follows at once: whatever it calls must be there.
  depends_on = [aws_lambda_permission.rotation, module.rotation_role]
}
