output "tables" {
  description = "Name of each table: candles, trades."
  value       = { for name, table in aws_dynamodb_table.this : name => table.name }
}

output "arns" {
  description = "ARN of each table."
  value       = { for name, table in aws_dynamodb_table.this : name => table.arn }
}
