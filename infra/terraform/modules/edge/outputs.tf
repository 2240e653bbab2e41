output "certificate_arn" {
  description = "The load balancer's certificate, valid."
  value       = aws_acm_certificate_validation.this.certificate_arn
}

output "web_acl_arn" {
  description = "The load balancer's WAF rules."
  value       = module.web_acl.arn
}

output "zone_id" {
  description = "Id of the hosted zone."
  value       = data.aws_route53_zone.this.zone_id
}

output "host" {
  description = "Name under which the exchange is reached."
  value       = var.host
}
