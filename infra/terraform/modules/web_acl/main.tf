locals {
  # Cheap and certain first: what is refused early costs nothing further down. Priorities leave room between them.
  managed = {
    reputation = { priority = 10, group = "AWSManagedRulesAmazonIpReputationList", count = [] }
    # Bodies above 8 KiB are refused by the exchange itself, in Binance's words; order lists may be larger. So may be
    # the names of a hundred markets in a query.
    common     = { priority = 50, group = "AWSManagedRulesCommonRuleSet", count = ["SizeRestrictions_BODY", "SizeRestrictions_QUERYSTRING", "NoUserAgent_HEADER"] }
    bad-inputs = { priority = 60, group = "AWSManagedRulesKnownBadInputsRuleSet", count = [] }
    sql        = { priority = 70, group = "AWSManagedRulesSQLiRuleSet", count = [] }
  }
  # Trading programs are bots by trade: theirs are only counted, never challenged.
  bots = var.bot_control ? {
    bots = { priority = 80, group = "AWSManagedRulesBotControlRuleSet", count = ["CategoryHttpLibrary", "SignalNonBrowserUserAgent"] }
  } : {}
  groups = merge(local.managed, local.bots)

  rates = {
    login = { priority = 20, limit = var.login_limit, path = "/v1/sessions" }
    users = { priority = 30, limit = var.login_limit, path = "/v1/users" }
    all   = { priority = 40, limit = var.request_limit, path = null }
  }
}

resource "aws_wafv2_web_acl" "this" {
  name        = var.name
  description = var.description
  scope       = var.scope
  # The rules of CloudFront live in one region whatever the stack's is.
  region = var.scope == "CLOUDFRONT" ? "us-east-1" : null

  default_action {
    allow {}
  }

  dynamic "rule" {
    for_each = local.rates

    content {
      name     = "rate-${rule.key}"
      priority = rule.value.priority

      action {
        block {
          custom_response {
            response_code = 429
          }
        }
      }

      statement {
        rate_based_statement {
          limit                 = rule.value.limit
          aggregate_key_type    = "IP"
          evaluation_window_sec = 60

          # Who comes by a place that stands for many people is counted there, by rules of its own: CloudFront has
          # these same limits, API Gateway has quotas. Counted here, all behind one edge would be one.
          dynamic "scope_down_statement" {
            for_each = var.counted_elsewhere != null && rule.value.path == null ? [1] : []

            content {
              not_statement {
                statement {
                  ip_set_reference_statement {
                    arn = aws_wafv2_ip_set.elsewhere[0].arn
                  }
                }
              }
            }
          }

          dynamic "scope_down_statement" {
            for_each = var.counted_elsewhere != null && rule.value.path != null ? [rule.value.path] : []

            content {
              and_statement {
                statement {
                  byte_match_statement {
                    search_string         = scope_down_statement.value
                    positional_constraint = "STARTS_WITH"

                    field_to_match {
                      uri_path {}
                    }

                    text_transformation {
                      priority = 0
                      type     = "NORMALIZE_PATH"
                    }
                  }
                }

                statement {
                  not_statement {
                    statement {
                      ip_set_reference_statement {
                        arn = aws_wafv2_ip_set.elsewhere[0].arn
                      }
                    }
                  }
                }
              }
            }
          }

          dynamic "scope_down_statement" {
            for_each = var.counted_elsewhere == null && rule.value.path != null ? [rule.value.path] : []

            content {
              byte_match_statement {
                search_string         = scope_down_statement.value
                positional_constraint = "STARTS_WITH"

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "NORMALIZE_PATH"
                }
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-rate-${rule.key}"
        sampled_requests_enabled   = true
      }
    }
  }

  dynamic "rule" {
    for_each = local.groups

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.value.group

          dynamic "rule_action_override" {
            for_each = rule.value.count

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-${rule.key}"
        sampled_requests_enabled   = true
      }
    }
  }

  dynamic "rule" {
    for_each = length(var.blocked_countries) == 0 ? [] : [var.blocked_countries]

    content {
      name     = "countries"
      priority = 5

      action {
        block {}
      }

      statement {
        geo_match_statement {
          country_codes = rule.value
        }
      }

      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-countries"
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_ip_set" "elsewhere" {
  count = var.counted_elsewhere == null ? 0 : 1

  name               = "${var.name}-counted-elsewhere"
  description        = "Addresses that stand for many people"
  scope              = var.scope
  ip_address_version = "IPV4"
  addresses          = var.counted_elsewhere
}

resource "aws_cloudwatch_log_group" "this" {
  count = var.log_blocked ? 1 : 0

  # WAF insists on the prefix.
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  count = var.log_blocked ? 1 : 0

  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this[0].arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }

  redacted_fields {
    single_header {
      name = "x-mbx-apikey"
    }
  }

  # Signatures and tokens travel in it.
  redacted_fields {
    query_string {}
  }

  logging_filter {
    default_behavior = "DROP"

    filter {
      behavior    = "KEEP"
      requirement = "MEETS_ANY"

      condition {
        action_condition {
          action = "BLOCK"
        }
      }
    }
  }
}
