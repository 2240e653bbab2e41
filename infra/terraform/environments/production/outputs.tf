output "helm_values" {
  description = "Values for the Helm chart: `terraform output -raw helm_values > values-aws.yaml`."
  value       = module.exchange.helm_values
}

output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.exchange.cluster_name
}

output "platform" {
  description = "For platform/, the layer of controllers on this cluster."
  value       = module.exchange.platform
}

output "frontend" {
  description = "Bucket and distribution of the terminal."
  value       = module.exchange.frontend
}

output "replica" {
  description = "What the other region needs to copy its buckets here."
  value       = module.exchange.replica
}

output "backup_vault" {
  description = "The vault of copies: backup.copy_vault_arn of the other region; null without one."
  value       = module.exchange.backup_vault
}

output "application_key" {
  description = "The key of API secrets: application_key_replica_of of the other region."
  value       = module.exchange.application_key
}

output "audiences" {
  description = "Clients that this region's tokens are made for: other_audiences of the other region."
  value       = module.exchange.audiences
}

output "issuers" {
  description = "Issuers of this region's tokens: other_issuers of the other region."
  value       = module.exchange.issuers
}
