data "aws_caller_identity" "this" {}

resource "aws_kinesis_stream" "this" {
  name             = "${var.name}-market-data"
  retention_period = 48
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn
  shard_count      = var.shards

  stream_mode_details {
    stream_mode = var.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

module "bucket" {
  source = "../private_bucket"

  name              = "${var.bucket_prefix}-lake"
  kms_key_arn       = var.kms_key_arn
  access_log_bucket = var.access_log_bucket
  force_destroy     = var.force_destroy
  tiers = {
    market-data = { prefix = "market-data/", transitions = { STANDARD_IA = 60, GLACIER_IR = 180 } }
    errors      = { prefix = "errors/", expire_days = 30 }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/firehose"
  retention_in_days = 30
  kms_key_id        = var.logs_key_arn
}

resource "aws_cloudwatch_log_stream" "this" {
  name           = "market-data"
  log_group_name = aws_cloudwatch_log_group.this.name
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = "${var.name}-market-data"
  destination = "extended_s3"

  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.this.arn
    role_arn           = module.role.arn
  }

  extended_s3_configuration {
    role_arn            = module.role.arn
    bucket_arn          = module.bucket.arn
    kms_key_arn         = var.kms_key_arn
    buffering_size      = 64
    buffering_interval  = 300
    compression_format  = "GZIP"
    file_extension      = ".jsonl.gz"
    prefix              = "market-data/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.this.name
      log_stream_name = aws_cloudwatch_log_stream.this.name
    }
  }
}

module "role" {
  source = "../service_role"

  name            = "${var.name}-firehose"
  description     = "Firehose, from the stream to the lake"
  service         = "firehose.amazonaws.com"
  trust_condition = { StringEquals = { "sts:ExternalId" = data.aws_caller_identity.this.account_id } }
  statements = [
    {
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      Resource = [aws_kinesis_stream.this.arn]
    },
    {
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource = [module.bucket.arn]
    },
    { Effect = "Allow", Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], Resource = ["${module.bucket.arn}/*"] },
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] },
    { Effect = "Allow", Action = ["logs:PutLogEvents"], Resource = ["${aws_cloudwatch_log_group.this.arn}:*"] },
  ]
}
