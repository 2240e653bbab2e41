output "arn" {
  description = "ARN of the key."
  value       = local.key.arn
}

output "id" {
  description = "Id of the key."
  value       = local.key.key_id
}
