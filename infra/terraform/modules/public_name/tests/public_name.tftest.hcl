mock_provider "aws" {
  source = "../../testing"
}

variables {
  host            = "reads.api.example.com"
  certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/1"
  zone_id         = "Z1"
  api_id          = "a1"
  stage           = "live"
}

run "of_one_region" {
  assert {
    condition     = output.host == "reads.api.example.com" && !output.is_nearest && aws_route53_record.this.set_identifier == null
    error_message = "It leads here and nowhere else."
  }

  assert {
    condition     = aws_apigatewayv2_api_mapping.this.stage == "live" && aws_apigatewayv2_domain_name.this.domain_name_configuration[0].security_policy == "TLS_1_2"
    error_message = "To this API, over TLS."
  }
}

run "of_every_region" {
  variables {
    nearest = { region = "eu-central-1", health_check_id = "check-1" }
  }

  assert {
    condition     = output.is_nearest && aws_route53_record.this.set_identifier == "eu-central-1" && aws_route53_record.this.health_check_id == "check-1"
    error_message = "The nearest one that is well answers."
  }
}
