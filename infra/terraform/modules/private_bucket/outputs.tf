output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "regional_domain_name" {
  description = "Name under which CloudFront reaches it."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
