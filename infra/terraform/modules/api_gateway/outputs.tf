output "accounts_url" {
  description = "Address of the accounts API."
  value       = "https://${module.public_name["accounts"].host}"
}

output "market_data_url" {
  description = "Address of the market-data API."
  value       = "https://${module.public_name["market-data"].host}"
}

output "usage_plan_ids" {
  description = "Id of each usage plan, to put keys into."
  value       = { for name, plan in aws_api_gateway_usage_plan.this : name => plan.id }
}
