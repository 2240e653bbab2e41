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
