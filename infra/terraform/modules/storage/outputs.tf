output "archive" {
  description = "The bucket of both logs: name and arn."
  value       = { name = module.archive.name, arn = module.archive.arn }
}

output "snapshots" {
  description = "The bucket of the engine's snapshots: name and arn."
  value       = { name = module.snapshots.name, arn = module.snapshots.arn }
}

output "access_logs" {
  description = "The bucket of access logs: name and arn."
  value       = { name = module.access_logs.name, arn = module.access_logs.arn }
}
