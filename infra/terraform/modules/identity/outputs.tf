output "issuers" {
  description = "Issuer of each region's tokens."
  value       = { for region, pool in aws_cognito_user_pool.this : region => "https://cognito-idp.${region}.amazonaws.com/${pool.id}" }
}

output "issuer" {
  description = "Issuer of this region's tokens."
  value       = "https://cognito-idp.${data.aws_region.this.region}.amazonaws.com/${aws_cognito_user_pool.this[data.aws_region.this.region].id}"
}

output "client_id" {
  description = "Id of the web client in this region: the audience of its tokens."
  value       = aws_cognito_user_pool_client.web[data.aws_region.this.region].id
}

output "client_ids" {
  description = "Id of the web client of each region's pool: the audiences of all tokens that are made here."
  value       = { for region, client in aws_cognito_user_pool_client.web : region => client.id }
}

output "user_pool_arns" {
  description = "ARN of each region's pool."
  value       = { for region, pool in aws_cognito_user_pool.this : region => pool.arn }
}
