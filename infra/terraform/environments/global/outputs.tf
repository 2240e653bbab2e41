output "repositories" {
  description = "Address of each image repository: image_repository of the other environments."
  value       = module.registry.urls
}

output "name_servers" {
  description = "To be entered at the registrar."
  value       = aws_route53_zone.this.name_servers
}

output "addresses" {
  description = "The accelerator's fixed addresses."
  value       = flatten(module.second_region[*].addresses)
}
