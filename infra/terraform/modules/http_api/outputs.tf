output "id" {
  description = "Id of the API, for integrations."
  value       = aws_apigatewayv2_api.this.id
}

output "execution_arn" {
  description = "ARN that calls of it come from."
  value       = aws_apigatewayv2_api.this.execution_arn
}

output "stage" {
  description = "Id of its one stage, for names."
  value       = aws_apigatewayv2_stage.this.id
}

output "authorizations" {
  description = "What each route asks for: JWT or NONE."
  value       = { for route, each in aws_apigatewayv2_route.this : route => each.authorization_type }
}
