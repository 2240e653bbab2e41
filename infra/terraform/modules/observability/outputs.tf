output "alarms_topic_arn" {
  description = "Topic of alarms."
  value       = aws_sns_topic.alarms.arn
}

output "log_groups" {
  description = "Log group of each process."
  value       = { for name, group in aws_cloudwatch_log_group.process : name => group.name }
}

output "metrics_log_group" {
  description = "Log group through which the collector sends metrics."
  value       = aws_cloudwatch_log_group.metrics.name
}

output "prometheus_endpoint" {
  description = "Where metrics are written to in Managed Prometheus; null without."
  value       = one(aws_prometheus_workspace.this[*].prometheus_endpoint)
}

output "search_endpoint" {
  description = "OpenSearch's endpoint; null without."
  value       = one(aws_opensearch_domain.this[*].endpoint)
}

output "prometheus_statements" {
  description = "What Prometheus in the cluster may do: write to the managed one."
  value       = [for workspace in aws_prometheus_workspace.this : { Effect = "Allow", Action = ["aps:RemoteWrite"], Resource = [workspace.arn] }]
}

output "collector_statements" {
  description = "What the collector (ADOT) may do: metrics and logs through our log groups, traces."
  value = concat(
    [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [for group in concat(values(aws_cloudwatch_log_group.process), [aws_cloudwatch_log_group.metrics]) : "${group.arn}:*"]
      },
      # Traces have no resource to name.
      { Effect = "Allow", Action = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
    ],
    [for workspace in aws_prometheus_workspace.this : { Effect = "Allow", Action = ["aps:RemoteWrite"], Resource = [workspace.arn] }],
  )
}
