output "host" {
  description = "The name, once its record is there."
  value       = aws_route53_record.this.name
}

output "is_nearest" {
  description = "Whether it leads to the nearest region."
  value       = length(aws_route53_record.this.latency_routing_policy) == 1
}
