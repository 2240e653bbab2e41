mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test"
  region        = "eu-central-1"
  bucket_prefix = "exchange-test-111122223333"
  host          = "trade.example.com"
  api_host      = "api.example.com"
  zone_id       = "Z1"

  log_bucket_arn = "arn:aws:s3:::exchange-test-111122223333-access-logs"
}

run "files_are_private_and_signed" {
  assert {
    condition     = aws_cloudfront_origin_access_control.this.signing_behavior == "always" && one([for o in aws_cloudfront_distribution.this.origin : o.origin_access_control_id if o.origin_id == "files"]) == aws_cloudfront_origin_access_control.this.id
    error_message = "CloudFront signs every read of the bucket."
  }

  assert {
    condition     = aws_cloudfront_distribution.this.viewer_certificate[0].minimum_protocol_version == "TLSv1.2_2021"
    error_message = "TLS 1.2 or newer."
  }

  assert {
    condition     = aws_cloudfront_response_headers_policy.this.security_headers_config[0].strict_transport_security[0].access_control_max_age_sec >= 31536000
    error_message = "HSTS for a year at least."
  }
}

run "the_terminal_runs_as_it_is" {
  assert {
    condition     = one(aws_cloudfront_distribution.this.default_cache_behavior[*].target_origin_id) == "files" && strcontains(aws_cloudfront_function.page.code, "/terminal/index.html")
    error_message = "`/terminal/` is its index.html in the bucket, and so are the files beside it."
  }

  assert {
    condition     = length(aws_cloudfront_distribution.this.custom_error_response) == 0
    error_message = "An error of the exchange (403: no faucet here) reaches the page as it is: these pages would stand in for all origins."
  }

  assert {
    condition     = !strcontains(aws_cloudfront_response_headers_policy.this.security_headers_config[0].content_security_policy[0].content_security_policy, "unsafe-inline")
    error_message = "Neither scripts nor styles in the page itself."
  }

  assert {
    condition     = strcontains(aws_cloudfront_response_headers_policy.this.security_headers_config[0].content_security_policy[0].content_security_policy, "connect-src 'self';")
    error_message = "The page talks to where it came from, and to nobody else."
  }

  assert {
    condition     = aws_cloudwatch_log_delivery_destination.this.delivery_destination_configuration[0].destination_resource_arn == "arn:aws:s3:::exchange-test-111122223333-access-logs/cloudfront" && aws_cloudwatch_log_delivery_source.this.region == "us-east-1"
    error_message = "Who asked for what is written down."
  }
}

run "one_more_place_by_name" {
  variables {
    notices_origin = "wss://abc.execute-api.eu-central-1.amazonaws.com"
  }

  assert {
    condition     = strcontains(aws_cloudfront_response_headers_policy.this.security_headers_config[0].content_security_policy[0].content_security_policy, "connect-src 'self' wss://abc.execute-api.eu-central-1.amazonaws.com;")
    error_message = "The notices' own host, once there is one."
  }
}

run "all_of_aws_is_nobody" {
  command = plan

  variables {
    notices_origin = "wss://*.amazonaws.com"
  }

  expect_failures = [var.notices_origin]
}

run "the_front_page_is_kept_for_seconds" {
  assert {
    condition     = one([for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.cache_policy_id if b.path_pattern == "/" && b.target_origin_id == "exchange"]) == aws_cloudfront_cache_policy.front.id && aws_cloudfront_cache_policy.front.max_ttl <= 60
    error_message = "`/` is the exchange's, and kept as long as it says itself."
  }

  assert {
    condition     = length(aws_cloudfront_response_headers_policy.front.security_headers_config[0].content_security_policy) == 0
    error_message = "Its policy for contents is the page's own."
  }
}

run "the_exchange_is_never_cached" {
  assert {
    condition     = alltrue([for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.target_origin_id == "exchange" && b.cache_policy_id == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad" if b.path_pattern != "/"])
    error_message = "Caching is disabled on what the exchange answers."
  }

  assert {
    condition     = length(setsubtract(["/api/*", "/v1/*", "/ws/*", "/ws-api/*", "/stream*"], [for b in aws_cloudfront_distribution.this.ordered_cache_behavior : b.path_pattern])) == 0
    error_message = "All its paths are passed on."
  }

  assert {
    condition     = one([for o in aws_cloudfront_distribution.this.origin : o.custom_origin_config[0].origin_protocol_policy if o.origin_id == "exchange"]) == "https-only"
    error_message = "TLS to the exchange."
  }
}
