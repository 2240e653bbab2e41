mock_provider "aws" {
  source = "../../testing"
}

variables {
  name            = "exchange-test-sender"
  description     = "Test."
  image_uri       = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange@sha256:0f0f"
  handler         = "services.notifier.aws_lambda.main.send"
  logs_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  secrets_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
}

run "bounded_and_traced" {
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == null && aws_lambda_function.this.timeout == 30 && aws_lambda_function.this.tracing_config[0].mode == "Active"
    error_message = "A limit on time; no share of a limit that a new account does not have; traced."
  }

  assert {
    condition     = aws_lambda_function.this.image_config[0].command[0] == var.handler && aws_cloudwatch_log_group.this.kms_key_id == var.logs_key_arn
    error_message = "Our code, our key."
  }
}

run "refuses_a_tag" {
  command = plan

  variables {
    image_uri = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange:latest"
  }

  expect_failures = [var.image_uri]
}
