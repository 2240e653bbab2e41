# Questions that come up at night, ready in Logs Insights. The lines are JSON (exchange/process/log_lines.py).
locals {
  queries = {
    errors = {
      groups = sort([for group in aws_cloudwatch_log_group.process : group.name])
      text   = "fields @timestamp, @logStream, level, logger, message | filter level in ['ERROR', 'CRITICAL'] | sort @timestamp desc | limit 200"
    }
    errors-by-logger = {
      groups = sort([for group in aws_cloudwatch_log_group.process : group.name])
      text   = "filter level in ['WARNING', 'ERROR', 'CRITICAL'] | stats count(*) as lines by logger, level | sort lines desc | limit 50"
    }
    engine = {
      groups = [for name, group in aws_cloudwatch_log_group.process : group.name if name == "engine"]
      text   = "fields @timestamp, @logStream, level, message | filter message like /lead|halt|snapshot/ | sort @timestamp desc | limit 200"
    }
  }
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name            = "${var.name}/${each.key}"
  log_group_names = each.value.groups
  query_string    = each.value.text
}
