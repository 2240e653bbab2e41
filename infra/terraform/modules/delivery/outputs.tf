output "projects" {
  description = "Names of the projects: image, plan."
  value       = { for name, project in aws_codebuild_project.this : name => project.name }
}

output "signing_key_arn" {
  description = "Key whose public half proves a signature."
  value       = aws_kms_key.signing.arn
}
