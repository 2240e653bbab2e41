mock_provider "aws" {
  source = "../../testing"
}

variables {
  name           = "exchange-test"
  repository     = { url = "https://git.example.com/exchange/exchange.git", connection_arn = "arn:aws:codeconnections:eu-central-1:111122223333:connection/1" }
  repository_url = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
  repository_arn = "arn:aws:ecr:eu-central-1:111122223333:repository/exchange"
  state          = { bucket = "exchange-terraform-state-111122223333", region = "eu-central-1" }
  emails         = ["ops@example.com"]
}

run "builds_what_is_on_the_main_branch_and_nothing_else" {
  assert {
    condition     = aws_codebuild_project.this["image"].environment[0].type == "ARM_CONTAINER" && aws_codebuild_project.this["image"].environment[0].privileged_mode
    error_message = "Natively on Arm: emulated the engine's compiler takes twenty times as long."
  }

  assert {
    condition     = [for filter in one(aws_codebuild_webhook.image.filter_group).filter : filter.pattern if filter.type == "HEAD_REF"] == ["^refs/heads/main$"]
    error_message = "A pull request runs nobody's code with the right to push."
  }

  assert {
    condition     = aws_kms_key.signing.key_usage == "SIGN_VERIFY" && output.projects == { image = "exchange-test-image", plan = "exchange-test-plan" }
    error_message = "A key that signs; two projects."
  }
}

run "the_nightly_comparison_reads" {
  assert {
    condition     = !aws_codebuild_project.this["plan"].environment[0].privileged_mode && one(aws_codebuild_project.this["plan"].secondary_sources).location == "exchange-terraform-state-111122223333/values/"
    error_message = "It reads the values beside the states, and holds no docker."
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.plan.target[0].input).ProjectName == "exchange-test-plan" && [for s in aws_sns_topic_subscription.failures : s.endpoint] == ["ops@example.com"]
    error_message = "Every night, and somebody is told."
  }
}

run "what_signs_is_named_by_digest" {
  command = plan

  variables {
    tools_image = "cosign:latest"
  }

  expect_failures = [var.tools_image]
}
