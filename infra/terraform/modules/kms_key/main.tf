data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  account = data.aws_caller_identity.this.account_id
  # Inside a key's policy the resource "*" is the key itself, nothing more.
  statements = concat(
    [{
      Sid       = "AccountAdministersByIam"
      Effect    = "Allow"
      Principal = { AWS = "arn:${data.aws_partition.this.partition}:iam::${local.account}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }],
    [for sid, service in var.services : {
      Sid       = sid
      Effect    = "Allow"
      Principal = { Service = service.principal }
      Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      Resource  = "*"
      # Without it, anybody's use of the service could reach the key (the confused deputy).
      Condition = service.source_arn == null ? {
        StringEquals = { "aws:SourceAccount" = local.account }
        } : {
        ArnLike = { (service.context_key) = service.source_arn }
      }
    }],
  )
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
  multi_region            = var.multi_region
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
