mock_provider "aws" {
  source = "../../testing"
}

variables {
  name               = "exchange-test"
  logs_key_arn       = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  msk_name           = "exchange-test"
  msk_brokers        = 3
  aurora_id          = "exchange-test"
  redis_nodes        = ["exchange-test-0001-001", "exchange-test-0001-002"]
  functions          = ["exchange-test-sender"]
  tables             = ["exchange-test-trades"]
  streams            = ["exchange-test-market-data"]
  certificates       = { api = "arn:aws:acm:eu-central-1:111122223333:certificate/1" }
  replicated_buckets = { archive = { source = "a-archive", destination = "b-archive" } }
  load_balancer      = "app/exchange-test/1"
  dead_letter_queues = { notices = "exchange-test-notices-dead" }
}

run "alarms_reach_somebody" {
  assert {
    condition     = alltrue([for a in concat(values(aws_cloudwatch_metric_alarm.exchange), values(aws_cloudwatch_metric_alarm.server), values(aws_cloudwatch_metric_alarm.burn), values(aws_cloudwatch_metric_alarm.anomaly), [aws_cloudwatch_metric_alarm.order_latency]) : contains(a.alarm_actions, aws_sns_topic.alarms.arn)])
    error_message = "Every alarm goes to the topic."
  }

  assert {
    condition     = alltrue([for broker in ["1", "2", "3"] : aws_cloudwatch_metric_alarm.server["msk-disk-filling-${broker}"].threshold == 70 && aws_cloudwatch_metric_alarm.server["msk-disk-filling-${broker}"].dimensions["Broker ID"] == broker]) && aws_cloudwatch_metric_alarm.exchange["disk-filling"].threshold == 0.3 && aws_cloudwatch_metric_alarm.server["aurora-volume"].threshold == floor(0.7 * 128 * pow(1024, 4))
    error_message = "Every disk tells at 70 %."
  }

  assert {
    condition = alltrue([for name in [
      "msk-under-min-isr-3", "redis-memory-exchange-test-0001-002", "function-errors-exchange-test-sender",
      "table-throttled-exchange-test-trades-write", "stream-late-exchange-test-market-data",
      "lake-stale-exchange-test-market-data", "certificate-ends-api", "replication-fails-archive", "load-balancer-errors",
    ] : contains(keys(aws_cloudwatch_metric_alarm.server), name)])
    error_message = "Each server tells when it fails: where it is published, node by node."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.exchange["no-leader"].treat_missing_data == "breaching"
    error_message = "Silence of the engine is an alarm."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.anomaly : a.threshold_metric_id == "band"]) && sort(keys(aws_cloudwatch_metric_alarm.anomaly)) == tolist(["cancels", "order-latency", "order-rate", "price-move"])
    error_message = "Bands on rate, latency, cancellations and prices."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.cancel_ratio.threshold_metric_id == "band" && contains(aws_cloudwatch_metric_alarm.cancel_ratio.alarm_actions, aws_sns_topic.alarms.arn)
    error_message = "And on the part of all commands that cancels."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 10 && length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.alarms) == length(local.alarm_arns)
    error_message = "One page with all alarms and the figures behind them."
  }

  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.process : g.kms_key_id == var.logs_key_arn && g.retention_in_days == 90])
    error_message = "Logs are under our key and end."
  }

  assert {
    condition     = aws_cloudwatch_log_group.metrics.kms_key_id == var.logs_key_arn && contains(flatten([for s in output.collector_statements : s.Resource if contains(s.Action, "logs:PutLogEvents")]), "${aws_cloudwatch_log_group.metrics.arn}:*")
    error_message = "The collector may write the lines that metrics are made of."
  }

  assert {
    condition     = length(aws_prometheus_workspace.this) + length(aws_grafana_workspace.this) + length(aws_opensearch_domain.this) == 0
    error_message = "Tools are asked for."
  }
}

run "questions_are_ready" {
  assert {
    condition     = length(aws_cloudwatch_query_definition.this) == 3 && alltrue([for query in aws_cloudwatch_query_definition.this : length(query.log_group_names) > 0])
    error_message = "Each asks some log."
  }
}

run "tools_by_switch" {
  variables {
    managed_prometheus = true
    prometheus_rules   = "groups: []"
    managed_grafana    = true
    log_search         = true
    vpc_id             = "vpc-1"
    subnet_ids         = ["subnet-a", "subnet-b", "subnet-c"]
    clients            = { cluster = "sg-cluster" }
    emails             = ["ops@example.com"]
  }

  assert {
    condition     = aws_opensearch_domain.this[0].encrypt_at_rest[0].kms_key_id == var.logs_key_arn && aws_opensearch_domain.this[0].domain_endpoint_options[0].enforce_https && length(aws_opensearch_domain.this[0].vpc_options) == 1
    error_message = "Search is private, encrypted, TLS only."
  }

  assert {
    condition     = aws_prometheus_workspace.this[0].kms_key_arn == var.logs_key_arn && length(aws_grafana_workspace.this) == 1
    error_message = "Both are there."
  }

  assert {
    condition     = aws_prometheus_rule_group_namespace.this[0].data == var.prometheus_rules && strcontains(aws_prometheus_alert_manager_definition.this[0].definition, aws_sns_topic.alarms.arn)
    error_message = "Its rules are ours, and reach the same people."
  }
}
