module "access_logs" {
  source = "../private_bucket"

  name          = "${var.bucket_prefix}-access-logs"
  force_destroy = var.force_destroy
  # S3 delivers access logs only into buckets under its own key.
  kms_key_arn = null
  tiers       = { old = { transitions = { GLACIER_IR = 90 }, expire_days = 400 } }
  statements = [
    {
      Sid       = "AccessLogDelivery"
      Effect    = "Allow"
      Principal = { Service = "logging.s3.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = ["/s3/*"]
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    },
    # Load balancers write under their account's number, below the prefix that the chart names.
    {
      Sid       = "LoadBalancerDelivery"
      Effect    = "Allow"
      Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = ["/*/AWSLogs/${data.aws_caller_identity.this.account_id}/*", "/AWSLogs/${data.aws_caller_identity.this.account_id}/*"]
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    },
    # CloudFront's, by CloudWatch's delivery: the distribution's source stands in us-east-1 whatever the region is.
    {
      Sid       = "DistributionDelivery"
      Effect    = "Allow"
      Principal = { Service = "delivery.logs.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = ["/AWSLogs/${data.aws_caller_identity.this.account_id}/*", "/cloudfront/*"]
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    },
  ]
}

data "aws_caller_identity" "this" {}

# Both logs, as the archiver copies them: the exchange can be rebuilt from this bucket alone.
module "archive" {
  source = "../private_bucket"

  name              = "${var.bucket_prefix}-archive"
  kms_key_arn       = var.kms_key_arn
  access_log_bucket = module.access_logs.name
  force_destroy     = var.force_destroy
  object_lock       = var.audit_lock
  tiers             = { old = { transitions = var.archive_transitions } }
}

# Snapshots are read at every start of an engine, so they stay hot; old ones go by themselves.
module "snapshots" {
  source = "../private_bucket"

  name              = "${var.bucket_prefix}-snapshots"
  kms_key_arn       = var.kms_key_arn
  access_log_bucket = module.access_logs.name
  force_destroy     = var.force_destroy
  noncurrent_days   = 7
  tiers             = { old = { expire_days = var.snapshot_days } }
}

resource "aws_s3_bucket_replication_configuration" "this" {
  for_each = var.replica == null ? {} : { archive = module.archive.name, snapshots = module.snapshots.name }

  bucket = each.value
  role   = module.replication_role[0].arn

  rule {
    id       = "second-region"
    status   = "Enabled"
    priority = 0

    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = var.replica.bucket_arns[each.key]
      storage_class = "STANDARD_IA"

      encryption_configuration {
        replica_kms_key_id = var.replica.kms_key_arn
      }

      # Fifteen minutes, promised and measured: the RPO of the archive.
      replication_time {
        status = "Enabled"
        time {
          minutes = 15
        }
      }

      metrics {
        status = "Enabled"
        event_threshold {
          minutes = 15
        }
      }
    }
  }
}

module "replication_role" {
  source = "../service_role"
  count  = var.replica == null ? 0 : 1

  name        = "${var.bucket_prefix}-replication"
  description = "S3, copying archive and snapshots to the second region"
  service     = "s3.amazonaws.com"
  statements = [
    {
      Effect   = "Allow"
      Action   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
      Resource = [module.archive.arn, module.snapshots.arn]
    },
    {
      Effect   = "Allow"
      Action   = ["s3:GetObjectLegalHold", "s3:GetObjectRetention", "s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
      Resource = ["${module.archive.arn}/*", "${module.snapshots.arn}/*"]
    },
    {
      Effect   = "Allow"
      Action   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
      Resource = [for arn in values(var.replica.bucket_arns) : "${arn}/*"]
    },
    { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.kms_key_arn] },
    { Effect = "Allow", Action = ["kms:Encrypt", "kms:GenerateDataKey"], Resource = [var.replica.kms_key_arn] },
  ]
}
