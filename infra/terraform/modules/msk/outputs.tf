output "bootstrap_iam" {
  description = "Brokers for IAM over TLS."
  value       = aws_msk_cluster.this.bootstrap_brokers_sasl_iam
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_msk_cluster.this.arn
}

output "name" {
  description = "Name of the cluster, as CloudWatch knows it."
  value       = aws_msk_cluster.this.cluster_name
}

output "uuid" {
  description = "The part of the cluster's ARN that topic ARNs repeat."
  value       = aws_msk_cluster.this.cluster_uuid
}

output "security_group_id" {
  description = "The brokers' security group."
  value       = module.security_group.id
}
