output "bucket" {
  description = "Where the built terminal is copied to."
  value       = module.bucket.name
}

output "distribution_id" {
  description = "Whose cache is emptied after a copy."
  value       = aws_cloudfront_distribution.this.id
}

output "host" {
  description = "Name of the terminal."
  value       = var.host
}
