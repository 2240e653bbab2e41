resource "aws_budgets_budget" "this" {
  for_each = var.budgets

  name         = "${var.name}-${each.key}"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(each.value.limit_usd)
  limit_unit   = "USD"

  dynamic "cost_filter" {
    for_each = each.value.services == null ? [] : [each.value.services]

    content {
      name   = "Service"
      values = cost_filter.value
    }
  }

  # Half of the month's money at half of the month is news; what is forecast to break the limit is an alarm.
  dynamic "notification" {
    for_each = { "50" = "ACTUAL", "80" = "ACTUAL", "100" = "FORECASTED" }

    content {
      comparison_operator        = "GREATER_THAN"
      threshold                  = tonumber(notification.key)
      threshold_type             = "PERCENTAGE"
      notification_type          = notification.value
      subscriber_email_addresses = var.emails
    }
  }
}

# The monitor of all services is AWS's own: an account may have one, and has it since Cost Explorer was switched on.
resource "aws_ce_anomaly_subscription" "this" {
  count = var.anomaly_monitor_arn == null ? 0 : 1

  name             = var.name
  frequency        = "DAILY"
  monitor_arn_list = [var.anomaly_monitor_arn]

  dynamic "subscriber" {
    for_each = var.emails

    content {
      type    = "EMAIL"
      address = subscriber.value
    }
  }

  threshold_expression {
    dimension {
      key           = "ANOMALY_TOTAL_IMPACT_ABSOLUTE"
      match_options = ["GREATER_THAN_OR_EQUAL"]
      values        = [tostring(var.anomaly_usd)]
    }
  }
}

# Costs can be told apart by these only from the day on which they are activated.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = var.tags

  tag_key = each.value
  status  = "Active"
}
