mock_provider "aws" {
  source = "../../testing"
}

variables {
  name            = "exchange-test"
  logs_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  data_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/data"
  secrets_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
  jwt_issuers     = ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_test", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_test"]
  jwt_audience    = ["web", "web-west"]
}

run "poison_goes_to_the_dead_letters" {
  assert {
    condition     = alltrue([for name, q in aws_sqs_queue.this : jsondecode(q.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead[name].arn && jsondecode(q.redrive_policy).maxReceiveCount > 1])
    error_message = "Each queue has its own dead letters."
  }

  assert {
    condition     = alltrue([for q in concat(values(aws_sqs_queue.this), values(aws_sqs_queue.dead)) : q.kms_master_key_id == var.logs_key_arn]) && aws_sns_topic.notices.kms_master_key_id == var.logs_key_arn
    error_message = "Under our key."
  }

  assert {
    condition     = length(aws_sqs_queue_policy.this) == 4
    error_message = "TLS only, on all four."
  }

  assert {
    condition     = length(aws_apigatewayv2_api.notices) == 0 && output.websocket == null
    error_message = "No functions without an image."
  }
}

run "functions_once_there_is_an_image" {
  variables {
    image_uri = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange@sha256:0f0f"
  }

  assert {
    condition     = aws_apigatewayv2_route.notices["$connect"].authorization_type == "CUSTOM" && contains(aws_lambda_event_source_mapping.sender[0].function_response_types, "ReportBatchItemFailures")
    error_message = "A connection shows its token; a bad message fails alone."
  }

  assert {
    condition     = local.connections_environment.JWT_ISSUERS == join(",", var.jwt_issuers) && local.connections_environment.JWT_AUDIENCE == "web,web-west"
    error_message = "The function learns whose tokens it believes, and for whom they must be made."
  }

  assert {
    condition     = one(aws_dynamodb_table.connections.global_secondary_index).hash_key == "owner"
    error_message = "The notifier finds connections by their owner."
  }

  assert {
    condition     = aws_sqs_queue.this["notices"].visibility_timeout_seconds >= 6 * var.sender_timeout_s
    error_message = "A message stays hidden while it is worked on."
  }
}

run "nobody_is_let_in_without_an_audience" {
  command = plan

  variables {
    jwt_audience = []
  }

  expect_failures = [var.jwt_audience]
}

run "issuers_are_named_and_https" {
  command = plan

  variables {
    jwt_issuers = ["http://issuer.example.com"]
  }

  expect_failures = [var.jwt_issuers]
}
