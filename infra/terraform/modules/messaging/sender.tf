# The notification sender: run only when there is something to send. Off until an image has been pushed.
locals {
  functions = var.image_uri == null ? 0 : 1
}

module "sender" {
  source = "../lambda_image"
  count  = local.functions

  name            = "${var.name}-sender"
  description     = "Sends notices of fills, deposits, withdrawals and logins"
  image_uri       = var.image_uri
  handler         = var.handlers.sender
  timeout_s       = var.sender_timeout_s
  logs_key_arn    = var.logs_key_arn
  secrets_key_arn = var.secrets_key_arn
  environment     = { NOTICES_TOPIC_ARN = aws_sns_topic.notices.arn, NOTICES_MAIL_FROM = try(var.mail.sender, "") }
  statements = concat([
    {
      Effect   = "Allow"
      Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = [aws_sqs_queue.this["notices"].arn]
    },
    { Effect = "Allow", Action = ["sns:Publish"], Resource = [aws_sns_topic.notices.arn] },
    { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.logs_key_arn] },
    ], var.mail == null ? [] : [
    {
      Effect    = "Allow"
      Action    = ["ses:SendEmail"]
      Resource  = [var.mail.identity_arn]
      Condition = { StringEquals = { "ses:FromAddress" = var.mail.sender } }
    },
  ])
}

resource "aws_lambda_event_source_mapping" "sender" {
  count = local.functions

  function_name                      = module.sender[0].arn
  event_source_arn                   = aws_sqs_queue.this["notices"].arn
  batch_size                         = 10
  maximum_batching_window_in_seconds = 1
  # One bad message fails alone, not the nine beside it.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 10
  }
}
