mock_provider "aws" {
  source = "../../testing"
}

variables {
  name    = "exchange"
  budgets = { all = { limit_usd = 5000 }, network = { limit_usd = 400, services = ["AmazonVPC"] } }
  emails  = ["ops@example.com"]

  anomaly_monitor_arn = "arn:aws:ce::111122223333:anomalymonitor/1"
}

run "tells_before_the_money_is_spent" {
  assert {
    condition     = length(aws_budgets_budget.this["all"].notification) == 3 && anytrue([for n in aws_budgets_budget.this["all"].notification : n.notification_type == "FORECASTED"])
    error_message = "A forecast is told."
  }

  assert {
    condition     = length(aws_budgets_budget.this["network"].cost_filter) == 1 && length(aws_budgets_budget.this["all"].cost_filter) == 0
    error_message = "By service where asked."
  }

  assert {
    condition     = length(aws_ce_cost_allocation_tag.this) == 0
    error_message = "A tag that AWS has not seen cannot be activated."
  }

  assert {
    condition     = one(aws_ce_anomaly_subscription.this[0].subscriber).address == "ops@example.com"
    error_message = "Anomalies are told."
  }
}
