output "key_arns" {
  description = "ARNs of the keys: data, secrets, application, logs, audit."
  value       = { for name, key in module.key : name => key.arn }
}

output "application_key_id" {
  description = "Id of the envelope key of API secrets."
  value       = module.key["application"].id
}

output "secret_arns" {
  description = "ARNs of the secrets: redis."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "secret_names" {
  description = "Names of the secrets: redis."
  value       = local.secrets
}
