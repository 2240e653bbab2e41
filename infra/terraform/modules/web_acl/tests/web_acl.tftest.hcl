mock_provider "aws" {
  source = "../../testing"
}

variables {
  name         = "exchange-test"
  description  = "Test."
  scope        = "REGIONAL"
  logs_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "cheap_and_certain_rules_come_first" {
  assert {
    condition     = [for p in sort([for r in aws_wafv2_web_acl.this.rule : format("%03d %s", r.priority, r.name)]) : split(" ", p)[1]] == ["reputation", "rate-login", "rate-users", "rate-all", "common", "bad-inputs", "sql"]
    error_message = "Reputation, rates, then content."
  }

  assert {
    condition     = contains(local.groups["common"].count, "SizeRestrictions_QUERYSTRING") && contains(local.groups["common"].count, "SizeRestrictions_BODY")
    error_message = "A hundred markets in a query are counted, not refused."
  }

  assert {
    condition     = length(aws_wafv2_web_acl_logging_configuration.this[0].redacted_fields) == 3
    error_message = "Tokens, keys and signatures are not logged."
  }
}

run "bots_and_countries_by_switch" {
  variables {
    bot_control       = true
    blocked_countries = ["KP"]
  }

  assert {
    condition     = [for p in sort([for r in aws_wafv2_web_acl.this.rule : format("%03d %s", r.priority, r.name)]) : split(" ", p)[1]] == ["countries", "reputation", "rate-login", "rate-users", "rate-all", "common", "bad-inputs", "sql", "bots"]
    error_message = "Countries first, bots last."
  }
}

run "an_edge_is_not_one_person" {
  variables {
    counted_elsewhere = ["192.0.2.0/24"]
  }

  assert {
    condition     = aws_wafv2_ip_set.elsewhere[0].addresses == toset(["192.0.2.0/24"]) && length(aws_wafv2_ip_set.elsewhere) == 1
    error_message = "Who comes by an edge is counted at the edge."
  }
}

run "in_front_of_cloudfront" {
  variables {
    scope        = "CLOUDFRONT"
    log_blocked  = false
    logs_key_arn = null
  }

  assert {
    condition     = aws_wafv2_web_acl.this.region == "us-east-1" && length(aws_cloudwatch_log_group.this) == 0
    error_message = "CloudFront's rules live in us-east-1."
  }
}
