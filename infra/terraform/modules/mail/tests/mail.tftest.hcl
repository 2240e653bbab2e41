mock_provider "aws" {
  source = "../../testing"
}

variables {
  domain  = "trade.example.com"
  zone_id = "Z1"
}

run "signed_and_said_so" {
  assert {
    condition     = alltrue([for record in aws_route53_record.keys : endswith(record.name, "._domainkey.trade.example.com") && record.type == "CNAME"]) && length(aws_route53_record.keys) == 3
    error_message = "Three keys, where SES wants them."
  }

  assert {
    condition     = aws_route53_record.policy[0].name == "_dmarc.trade.example.com" && output.sender == "no-reply@trade.example.com"
    error_message = "Others know what to do with mail that is not signed."
  }
}

run "one_region_says_the_policy" {
  variables {
    policy = false
  }

  assert {
    condition     = length(aws_route53_record.policy) == 0
    error_message = "A record has one owner."
  }
}
