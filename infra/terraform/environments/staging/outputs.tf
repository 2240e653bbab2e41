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
