output "host" {
  description = "The cluster's configuration endpoint."
  value       = aws_elasticache_replication_group.this.configuration_endpoint_address
}

output "port" {
  description = "Its port."
  value       = 6379
}

output "url" {
  description = "Address without credentials; they come from the secret."
  value       = "rediss://${aws_elasticache_replication_group.this.configuration_endpoint_address}:6379/0"
}

output "id" {
  description = "Id of the replication group, as CloudWatch knows it."
  value       = aws_elasticache_replication_group.this.id
}
