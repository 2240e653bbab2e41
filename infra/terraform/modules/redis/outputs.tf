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

output "user_id" {
  description = "The user, once it is there: whoever sets its password waits for it."
  value       = aws_elasticache_user.exchange.user_id
}

output "node_ids" {
  description = "Id of each node, as CloudWatch knows it."
  value = flatten([
    for shard in range(1, var.shards + 1) : [
      for node in range(1, var.replicas + 2) : format("%s-%04d-%03d", var.name, shard, node)
    ]
  ])
}

output "id" {
  description = "Id of the replication group, as CloudWatch knows it."
  value       = aws_elasticache_replication_group.this.id
}
