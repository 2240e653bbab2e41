locals {
  # Answered by the exchange: never from a cache, every header passed on. `/` is the exchange's too, and kept for
  # seconds. The rest is the terminal's files, below /terminal/.
  passed = ["/api/*", "/sapi/*", "/v1/*", "/ws", "/ws/*", "/ws-api/*", "/stream", "/stream*"]
  # AWS's managed policies, by the ids that AWS publishes for all accounts.
  policies = {
    caching_disabled       = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    caching_optimized      = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    all_viewer_except_host = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
    every_method           = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
  }
}

module "bucket" {
  source = "../private_bucket"

  name          = "${var.bucket_prefix}-web"
  kms_key_arn   = null # Public files; CloudFront reads them without a right on our key.
  force_destroy = var.force_destroy
  statements = [{
    Sid       = "CloudFrontReads"
    Effect    = "Allow"
    Principal = { Service = "cloudfront.amazonaws.com" }
    Action    = "s3:GetObject"
    Resource  = ["/*"]
    Condition = { StringEquals = { "aws:SourceArn" = aws_cloudfront_distribution.this.arn } }
  }]
}

resource "aws_cloudfront_origin_access_control" "this" {
  name                              = var.name
  description                       = "CloudFront signs its reads of the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_distribution" "this" {
  enabled         = true
  comment         = "${var.name}: the trader's terminal"
  aliases         = [var.host]
  http_version    = "http2and3"
  is_ipv6_enabled = true
  price_class     = var.price_class
  web_acl_id      = module.web_acl.arn

  origin {
    origin_id                = "files"
    domain_name              = "${var.bucket_prefix}-web.s3.${var.region}.amazonaws.com"
    origin_access_control_id = aws_cloudfront_origin_access_control.this.id
  }

  origin {
    origin_id   = "exchange"
    domain_name = var.api_host

    custom_origin_config {
      http_port                = 80
      https_port               = 443
      origin_protocol_policy   = "https-only"
      origin_ssl_protocols     = ["TLSv1.2"]
      origin_keepalive_timeout = 60
      origin_read_timeout      = 30
    }
  }

  default_cache_behavior {
    target_origin_id           = "files"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = local.policies.caching_optimized
    response_headers_policy_id = aws_cloudfront_response_headers_policy.this.id

    function_association {
      event_type   = "viewer-request"
      function_arn = aws_cloudfront_function.page.arn
    }
  }

  # The front page: its own policy for contents comes with it (services/market_data/front).
  ordered_cache_behavior {
    path_pattern               = "/"
    target_origin_id           = "exchange"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = aws_cloudfront_cache_policy.front.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.front.id
  }

  dynamic "ordered_cache_behavior" {
    for_each = local.passed

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "exchange"
      viewer_protocol_policy   = "https-only"
      allowed_methods          = local.policies.every_method
      cached_methods           = ["GET", "HEAD"]
      compress                 = true
      cache_policy_id          = local.policies.caching_disabled
      origin_request_policy_id = local.policies.all_viewer_except_host
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.this.certificate_arn
    minimum_protocol_version = "TLSv1.2_2021"
    ssl_support_method       = "sni-only"
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
}

# A bucket that is read by a signed request knows no index pages: `/terminal/` is a file's name only here.
resource "aws_cloudfront_function" "page" {
  name    = "${var.name}-page"
  comment = "/terminal/ is its index.html, and where /terminal leads"
  runtime = "cloudfront-js-2.0"
  code    = <<-CODE
    function handler(event) {
      if (event.request.uri === "/terminal") {
        return { statusCode: 308, statusDescription: "Permanent Redirect", headers: { location: { value: "/terminal/" } } };
      }
      if (event.request.uri === "/terminal/") event.request.uri = "/terminal/index.html";
      return event.request;
    }
  CODE
}

# As long as the page says itself, and one for each language; a header or cookie makes no difference.
resource "aws_cloudfront_cache_policy" "front" {
  name        = "${var.name}-front"
  comment     = "The front page, for seconds"
  min_ttl     = 0
  default_ttl = 0
  max_ttl     = 60

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_brotli = true
    enable_accept_encoding_gzip   = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "whitelist"

      query_strings {
        items = ["lang"]
      }
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "front" {
  name    = "${var.name}-front"
  comment = "What the front page does not say itself"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }
  }
}

# Who asked for what. The newer delivery needs no ACLs on the bucket; its source lives where CloudFront does.
resource "aws_cloudwatch_log_delivery_source" "this" {
  region       = "us-east-1"
  name         = "${var.name}-web"
  log_type     = "ACCESS_LOGS"
  resource_arn = aws_cloudfront_distribution.this.arn
}

resource "aws_cloudwatch_log_delivery_destination" "this" {
  region        = "us-east-1"
  name          = "${var.name}-web"
  output_format = "json"

  delivery_destination_configuration {
    destination_resource_arn = "${var.log_bucket_arn}/cloudfront"
  }
}

resource "aws_cloudwatch_log_delivery" "this" {
  region                   = "us-east-1"
  delivery_source_name     = aws_cloudwatch_log_delivery_source.this.name
  delivery_destination_arn = aws_cloudwatch_log_delivery_destination.this.arn
}

resource "aws_cloudfront_response_headers_policy" "this" {
  name    = var.name
  comment = "What a browser may do with the terminal"

  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 63072000
      include_subdomains         = true
      preload                    = true
      override                   = true
    }

    content_security_policy {
      # As the local gateway says it (infra/nginx), and one more place to connect to.
      content_security_policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src ${join(" ", compact(["'self'", var.notices_origin]))}; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
      override                = true
    }

    content_type_options {
      override = true
    }

    frame_options {
      frame_option = "DENY"
      override     = true
    }

    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }
  }
}

# CloudFront takes certificates from this one region only.
resource "aws_acm_certificate" "this" {
  region            = "us-east-1"
  domain_name       = var.host
  validation_method = "DNS"
  key_algorithm     = "EC_prime256v1"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  zone_id         = var.zone_id
  name            = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name])
  type            = "CNAME"
  records         = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  region                  = "us-east-1"
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [aws_route53_record.validation.fqdn]
}

resource "aws_route53_record" "this" {
  for_each = toset(["A", "AAAA"])

  zone_id = var.zone_id
  name    = var.host
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}

module "web_acl" {
  source = "../web_acl"

  name          = "${var.name}-web"
  description   = "Distribution of the terminal"
  scope         = "CLOUDFRONT"
  log_blocked   = false
  request_limit = var.request_limit
  bot_control   = var.bot_control
}
