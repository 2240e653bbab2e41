output "cluster_name" {
  description = "Name of the cluster."
  value       = aws_eks_cluster.this.name
}

output "endpoint" {
  description = "Address of the control plane."
  value       = aws_eks_cluster.this.endpoint
}

output "service_address" {
  description = "Address of the Kubernetes API as pods see it."
  value       = cidrhost(var.service_cidr, 1)
}

output "security_group_id" {
  description = "The group of nodes and pods, which data stores let in."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "service_account_role_arns" {
  description = "ARN of each service account's role."
  value       = { for account, role in module.pod_role : account => role.arn }
}

output "certificate_authority" {
  description = "Authority of the control plane's certificate, PEM in base64."
  value       = one(aws_eks_cluster.this.certificate_authority[*].data)
}

output "pools" {
  description = "Label and taint of each pool of nodes, for selectors and tolerations."
  value       = { for name, pool in local.pools : name => { labels = pool.labels, tainted = length(pool.taints) > 0 } }
}
