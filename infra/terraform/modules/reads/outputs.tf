output "hosts" {
  description = "Name for whoever is nearest, and this region's own."
  value       = local.hosts
}

output "functions" {
  description = "Names of the functions."
  value       = [for function in module.function : function.name]
}

output "security_group_id" {
  description = "Group of the function that reads the database; null without."
  value       = one(module.security_group[*].id)
}
