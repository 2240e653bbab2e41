output "stream" {
  description = "Name and ARN of the stream that market data are written to."
  value       = { name = aws_kinesis_stream.this.name, arn = aws_kinesis_stream.this.arn }
}

output "bucket" {
  description = "Name and ARN of the lake."
  value       = { name = module.bucket.name, arn = module.bucket.arn }
}
