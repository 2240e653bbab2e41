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
    flatten([for sid, role in var.roles : [
      {
        Sid       = "${sid}Uses"
        Effect    = "Allow"
        Principal = { AWS = role }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
      },
      {
        Sid       = "${sid}LetsResourcesUse"
        Effect    = "Allow"
        Principal = { AWS = role }
        Action    = ["kms:CreateGrant"]
        Resource  = "*"
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ]]),
  )
}

resource "aws_kms_key" "this" {
  count = var.replica_of == null ? 1 : 0

  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days
  multi_region            = var.multi_region
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

# The same key material as elsewhere: opens what was sealed there. It rotates with the primary.
resource "aws_kms_replica_key" "this" {
  count = var.replica_of == null ? 0 : 1

  description             = var.description
  primary_key_arn         = var.replica_of
  deletion_window_in_days = var.deletion_window_days
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

locals {
  key = one(concat(aws_kms_key.this, aws_kms_replica_key.this))
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = local.key.key_id
}
