mock_provider "aws" {
  source = "../../testing"
}

variables {
  name         = "exchange-test"
  zone         = "example.com"
  host         = "api.example.com"
  logs_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/logs"
}

run "certificate_and_rules_before_there_is_a_load_balancer" {
  assert {
    condition     = length(aws_route53_record.this) == 0 && length(aws_route53_health_check.this) == 0
    error_message = "No names for nothing."
  }

  assert {
    condition     = aws_acm_certificate.this.validation_method == "DNS" && contains(aws_acm_certificate.this.subject_alternative_names, "*.api.example.com")
    error_message = "A certificate that renews itself."
  }
}

run "latency_and_failover_records" {
  variables {
    load_balancer   = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/exchange/1", dns_name = "exchange-1.eu-central-1.elb.amazonaws.com", zone_id = "Z1" }
    shield_advanced = true
  }

  assert {
    condition     = aws_route53_record.this["api.example.com"].latency_routing_policy[0].region == "eu-central-1" && aws_route53_record.this["orders.api.example.com"].failover_routing_policy[0].type == "PRIMARY"
    error_message = "Reads by latency, orders by failover."
  }

  assert {
    condition     = aws_route53_health_check.this[0].resource_path == "/readyz" && length(aws_shield_protection.this) == 1
    error_message = "The whole exchange is asked; Shield by switch."
  }
}

run "second_region_is_the_other_half" {
  variables {
    load_balancer = { arn = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/exchange/1", dns_name = "exchange-1.eu-west-1.elb.amazonaws.com", zone_id = "Z2" }
    failover_role = "SECONDARY"
  }

  assert {
    condition     = aws_route53_record.this["orders.api.example.com"].failover_routing_policy[0].type == "SECONDARY" && length(aws_shield_protection.this) == 0
    error_message = "It stands by."
  }
}
