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
    results     = { prefix = "results/", expire_days = 30 }
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

# The lake as a table: asked by SQL without a crawler, for its folders are hours (partition projection). The columns are
# those of services/market_history/lines.py; a test holds them equal.
locals {
  columns = [
    ["type", "string"], ["seq", "bigint"], ["symbol", "string"], ["trade_id", "bigint"], ["time_ms", "bigint"],
    ["price", "decimal(38,18)"], ["quantity", "decimal(38,18)"], ["quote_quantity", "decimal(38,18)"],
    ["buyer_is_maker", "boolean"],
  ]
}

resource "aws_glue_catalog_database" "this" {
  name        = replace(var.name, "-", "_")
  description = "Market data of the lake"
}

resource "aws_glue_catalog_table" "trades" {
  name          = "trades"
  database_name = aws_glue_catalog_database.this.name
  table_type    = "EXTERNAL_TABLE"
  parameters = {
    "classification"                = "json"
    "projection.enabled"            = "true"
    "projection.hour.type"          = "date"
    "projection.hour.format"        = "yyyy/MM/dd/HH"
    "projection.hour.range"         = "2026/01/01/00,NOW"
    "projection.hour.interval"      = "1"
    "projection.hour.interval.unit" = "HOURS"
    "storage.location.template"     = "s3://${module.bucket.name}/market-data/$${hour}/"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${module.bucket.name}/market-data/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = "${var.name}-lake"
  description   = "Questions to the lake, each bounded by what it may read"
  force_destroy = var.force_destroy

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_bytes_max

    result_configuration {
      output_location = "s3://${module.bucket.name}/results/"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}
