output "name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket

  # Whoever delivers into it is checked against its policy, on the first call (CloudTrail, Config, load balancers).
  depends_on = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "ARN of the bucket."
  # Not the provider's own attribute, which is unknown until the bucket is there: policies are readable in a plan.
  value = "arn:${data.aws_partition.this.partition}:s3:::${var.name}"

  depends_on = [aws_s3_bucket_policy.this]
}

output "regional_domain_name" {
  description = "Name under which CloudFront reaches it."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
