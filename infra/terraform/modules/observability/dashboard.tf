# What somebody who was woken looks at first: which alarms ring, and the figures behind them.
locals {
  graphs = {
    "Commands a minute"             = [["exchange_engine_commands_total", "Sum"]]
    "Orders: mean seconds"          = [["exchange_order_request_seconds", "Average"]]
    "Who leads"                     = [["exchange_engine_leading", "Maximum"]]
    "Behind the events: ledger"     = [["exchange_ledger_lag_seq", "Maximum"]]
    "Behind the events: auditor"    = [["exchange_auditor_lag_seq", "Maximum"]]
    "Stream clients"                = [["exchange_market_data_stream_clients", "Sum"], ["exchange_market_data_stream_clients_cut_total", "Sum"]]
    "Largest move within a minute"  = [["exchange_market_data_price_move_ratio", "Maximum"]]
    "Free part of the fullest disk" = [["exchange_disk_free_ratio", "Minimum"]]
    "Behind the logs: the archive"  = [["exchange_archive_lag_records", "Maximum"]]
  }
  alarm_arns = concat(
    [for alarm in aws_cloudwatch_metric_alarm.exchange : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.burn : alarm.arn],
    [for alarm in aws_cloudwatch_metric_alarm.anomaly : alarm.arn],
    [aws_cloudwatch_metric_alarm.order_latency.arn, aws_cloudwatch_metric_alarm.cancel_ratio.arn],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = concat(
      [{ type = "alarm", x = 0, y = 0, width = 24, height = 4, properties = { title = "Alarms", alarms = local.alarm_arns } }],
      [for index, title in keys(local.graphs) : {
        type = "metric", x = 8 * (index % 3), y = 4 + 6 * floor(index / 3), width = 8, height = 6
        properties = {
          title   = title, region = data.aws_region.this.region, period = 60, view = "timeSeries"
          metrics = [for metric in local.graphs[title] : [local.namespace, metric[0], { stat = metric[1] }]]
        }
      }],
    )
  })
}

# Functions and API Gateway trace by themselves: a request a second, and one in twenty beyond.
resource "aws_xray_sampling_rule" "this" {
  rule_name      = substr(var.name, 0, 32)
  priority       = 1000
  version        = 1
  reservoir_size = 1
  fixed_rate     = 0.05
  host           = "*"
  http_method    = "*"
  resource_arn   = "*"
  service_name   = "${var.name}*"
  service_type   = "*"
  url_path       = "*"
}
