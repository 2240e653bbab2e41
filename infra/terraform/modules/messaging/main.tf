locals {
  queues = {
    notices     = { visibility_s = 6 * var.sender_timeout_s, attempts = 5 }
    withdrawals = { visibility_s = 300, attempts = 10 }
  }
}

# E-mail and SMS to people. What is sent to whom is decided by the notifier; the topic only carries it.
resource "aws_sns_topic" "notices" {
  name              = "${var.name}-notices"
  kms_master_key_id = var.logs_key_arn
  tracing_config    = "Active"
}

resource "aws_sns_topic_policy" "notices" {
  arn = aws_sns_topic.notices.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.notices.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  name                              = "${var.name}-${each.key}"
  kms_master_key_id                 = var.logs_key_arn
  kms_data_key_reuse_period_seconds = 300
  message_retention_seconds         = 4 * 86400
  visibility_timeout_seconds        = each.value.visibility_s
  # Long polling: an empty queue costs a twentieth.
  receive_wait_time_seconds = 20
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead[each.key].arn
    maxReceiveCount     = each.value.attempts
  })
}

# What failed too often waits here for a person, who looks, and sends it back (`redrive`).
resource "aws_sqs_queue" "dead" {
  for_each = local.queues

  name                              = "${var.name}-${each.key}-dead"
  kms_master_key_id                 = var.logs_key_arn
  kms_data_key_reuse_period_seconds = 300
  message_retention_seconds         = 14 * 86400
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  for_each = aws_sqs_queue.dead

  queue_url = each.value.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = merge(
    { for name, queue in aws_sqs_queue.this : name => queue },
    { for name, queue in aws_sqs_queue.dead : "${name}-dead" => queue },
  )

  queue_url = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
