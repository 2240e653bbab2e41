resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.logs_key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

# Logs of the pods, as the collector sends them (helm/collector): one group a process.
resource "aws_cloudwatch_log_group" "process" {
  for_each = var.processes

  name              = "/${var.name}/pods/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.logs_key_arn
}

# What the collector sends to CloudWatch as metrics travels through it, a line a metric (embedded metric format).
resource "aws_cloudwatch_log_group" "metrics" {
  name              = "/${var.name}/metrics"
  retention_in_days = 30
  kms_key_id        = var.logs_key_arn
}

resource "aws_cloudwatch_metric_alarm" "exchange" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.runbook == null ? each.value.description : "${each.value.description}. See docs/runbooks/${each.value.runbook}.md"
  namespace           = local.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = each.value.period_s
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "server" {
  for_each = local.server_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = lookup(each.value, "period_s", 60)
  evaluation_periods  = each.value.periods
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# A share of errors among requests, over a short and a long window: the short one alone cries at every hiccup, the
# long one alone comes too late.
resource "aws_cloudwatch_metric_alarm" "burn" {
  for_each = { fast = { period_s = 300, rate = 14.4 }, slow = { period_s = 3600, rate = 6 } }

  alarm_name          = "${var.name}-error-budget-${each.key}"
  alarm_description   = "Order errors burn the month's error budget (99.9 %) ${each.value.rate} times too fast"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.rate * 0.001
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "share"
    expression  = "(FILL(internal, 0) + FILL(unknown, 0)) / requests"
    label       = "Share of errors"
    return_data = true
  }

  # Our own fault alone: -1000 is an error inside, -1007 an answer that did not come in time.
  dynamic "metric_query" {
    for_each = { internal = "-1000", unknown = "-1007" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = "exchange_order_errors_total"
        dimensions  = { code = metric_query.value }
        period      = each.value.period_s
        stat        = "Sum"
      }
    }
  }

  metric_query {
    id = "requests"

    metric {
      namespace   = local.namespace
      metric_name = "exchange_order_request_seconds"
      period      = each.value.period_s
      stat        = "SampleCount"
    }
  }
}

# The 99th percentile is above 100 ms when more than one in a hundred takes longer. CloudWatch knows no percentiles of
# what it gets as sums and counts, so the order service counts the slow ones.
resource "aws_cloudwatch_metric_alarm" "order_latency" {
  alarm_name          = "${var.name}-order-latency"
  alarm_description   = "One order in a hundred takes more than 100 ms. See docs/runbooks/AnswersSlow.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.01
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "share"
    expression  = "FILL(slow, 0) / requests"
    label       = "Share of slow requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = {
      slow     = { metric = "exchange_order_slow_total", stat = "Sum" }
      requests = { metric = "exchange_order_request_seconds", stat = "SampleCount" }
    }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value.metric
        period      = 60
        stat        = metric_query.value.stat
      }
    }
  }
}

# What the engine has computed and the log has not taken: it grows when the brokers do not answer.
resource "aws_cloudwatch_metric_alarm" "publish_lag" {
  alarm_name          = "${var.name}-engine-publish-lag"
  alarm_description   = "The engine is ahead of the event log"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 10000
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "lag"
    expression  = "computed - published"
    label       = "Events not yet in the log"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { computed = "exchange_engine_seq", published = "exchange_engine_published_seq" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        period      = 60
        stat        = "Maximum"
      }
    }
  }
}

# What has no fixed limit has a usual band: too many orders is an attack or a runaway bot, too few is a broken client.
resource "aws_cloudwatch_metric_alarm" "anomaly" {
  for_each = local.band_alarms

  alarm_name          = "${var.name}-unusual-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = each.value.comparison
  threshold_metric_id = "band"
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(value, ${var.band_width})"
    label       = "Usual band"
    return_data = true
  }

  metric_query {
    id          = "value"
    return_data = true

    metric {
      namespace   = local.namespace
      metric_name = each.value.metric
      dimensions  = each.value.dimensions
      period      = 300
      stat        = each.value.stat
    }
  }
}

# The same for a figure that is made of two: cancellations by all commands.
resource "aws_cloudwatch_metric_alarm" "cancel_ratio" {
  alarm_name          = "${var.name}-unusual-cancel-ratio"
  alarm_description   = "Unusually many of the commands are cancellations: layering, or a client in a loop"
  comparison_operator = "GreaterThanUpperThreshold"
  threshold_metric_id = "band"
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(ratio, ${var.band_width})"
    label       = "Usual band"
    return_data = true
  }

  metric_query {
    id          = "ratio"
    expression  = "FILL(cancels, 0) / commands"
    label       = "Cancellations by commands"
    return_data = true
  }

  metric_query {
    id = "cancels"

    metric {
      namespace   = local.namespace
      metric_name = "exchange_order_request_seconds"
      dimensions  = { endpoint = var.cancel_endpoint }
      period      = 300
      stat        = "SampleCount"
    }
  }

  metric_query {
    id = "commands"

    metric {
      namespace   = local.namespace
      metric_name = "exchange_engine_commands_total"
      period      = 300
      stat        = "Sum"
    }
  }
}
