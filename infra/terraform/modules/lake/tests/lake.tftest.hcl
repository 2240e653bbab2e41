mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test"
  bucket_prefix = "exchange-test-111122223333"
  kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/data"
  logs_key_arn  = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "encrypted_on_demand" {
  assert {
    condition     = aws_kinesis_stream.this.kms_key_id == var.kms_key_arn && aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "Under our key, on demand."
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].kms_key_arn == var.kms_key_arn
    error_message = "Objects are under our key."
  }
}

run "provisioned_by_switch" {
  variables {
    shards = 4
  }

  assert {
    condition     = aws_kinesis_stream.this.stream_mode_details[0].stream_mode == "PROVISIONED" && aws_kinesis_stream.this.shard_count == 4
    error_message = "Four shards."
  }
}

run "asked_by_sql_within_a_bound" {
  assert {
    condition     = aws_glue_catalog_table.trades.parameters["storage.location.template"] == "s3://${module.bucket.name}/market-data/$${hour}/" && startswith(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].prefix, "market-data/!{timestamp:yyyy/MM/dd/HH}/")
    error_message = "The table's folders are those that Firehose writes."
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10737418240
    error_message = "No question reads more than was meant."
  }
}
