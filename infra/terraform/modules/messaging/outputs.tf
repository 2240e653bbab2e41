output "notices_topic_arn" {
  description = "Topic of notices to people."
  value       = aws_sns_topic.notices.arn
}

output "queues" {
  description = "URL and ARN of each queue: notices, withdrawals."
  value       = { for name, queue in aws_sqs_queue.this : name => { url = queue.url, arn = queue.arn } }
}

output "dead_letter_queues" {
  description = "Name and ARN of each queue of dead letters."
  value       = { for name, queue in aws_sqs_queue.dead : name => { name = queue.name, arn = queue.arn } }
}

output "connections_table" {
  description = "Name and ARN of the table of browser connections."
  value       = { name = aws_dynamodb_table.connections.name, arn = aws_dynamodb_table.connections.arn }
}

output "functions" {
  description = "Names of the functions; none before there is an image."
  value       = concat(module.sender[*].name, module.connections[*].name)
}

output "websocket" {
  description = "Address for browsers, endpoint and ARN of the management API; null without functions."
  value = var.image_uri == null ? null : {
    url            = aws_apigatewayv2_stage.notices[0].invoke_url
    management_url = replace(aws_apigatewayv2_stage.notices[0].invoke_url, "wss://", "https://")
    arn            = "${aws_apigatewayv2_api.notices[0].execution_arn}/live/POST/@connections/*"
  }
}
