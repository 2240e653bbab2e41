output "writer_host" {
  description = "Name that follows the writer."
  value       = aws_rds_cluster.this.endpoint
}

output "reader_host" {
  description = "Name that spreads connections over readers."
  value       = aws_rds_cluster.this.reader_endpoint
}

output "port" {
  description = "Port of both."
  value       = 5432
}

output "secret_arn" {
  description = "The master user's secret in Secrets Manager; null in a global database."
  value       = try(aws_rds_cluster.this.master_user_secret[0].secret_arn, null)
}

output "cluster_id" {
  description = "Identifier of the cluster, as CloudWatch knows it."
  value       = aws_rds_cluster.this.cluster_identifier
}

output "arn" {
  description = "ARN of the cluster."
  value       = aws_rds_cluster.this.arn
}

output "resource_id" {
  description = "Resource id, for IAM authentication."
  value       = aws_rds_cluster.this.cluster_resource_id
}
