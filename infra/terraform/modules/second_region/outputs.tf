output "addresses" {
  description = "The accelerator's fixed addresses; empty without."
  value       = flatten([for accelerator in aws_globalaccelerator_accelerator.this : accelerator.ip_sets[*].ip_addresses])
}

output "replicator_arn" {
  description = "ARN of the Kafka replicator; null without."
  value       = one(aws_msk_replicator.this[*].arn)
}
