output "identity_arn" {
  description = "ARN of the identity: who may send in its name."
  value       = aws_sesv2_email_identity.this.arn
}

output "sender" {
  description = "The address that mail comes from."
  value       = "no-reply@${var.domain}"
}
