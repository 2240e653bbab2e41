output "alarms_topic_arn" {
  description = "Topic of alarms."
  value       = aws_sns_topic.alarms.arn
}

output "log_groups" {
  description = "Log group of each process."
  value       = { for name, group in aws_cloudwatch_log_group.process : name => group.name }
}

output "prometheus_endpoint" {
  description = "Where metrics are written to in Managed Prometheus; null without."
  value       = one(aws_prometheus_workspace.this[*].prometheus_endpoint)
}

output "search_endpoint" {
  description = "OpenSearch's endpoint; null without."
  value       = one(aws_opensearch_domain.this[*].endpoint)
}

output "collector_statements" {
  description = "What the collector (ADOT) may do: metrics in our namespace, logs in our groups, traces."
  value = concat(
    [
      {
        Effect    = "Allow"
        Action    = ["cloudwatch:PutMetricData"]
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = local.namespace } }
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = [for group in aws_cloudwatch_log_group.process : "${group.arn}:*"]
      },
      # Traces have no resource to name.
      { Effect = "Allow", Action = ["xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"], Resource = "*" },
    ],
    [for workspace in aws_prometheus_workspace.this : { Effect = "Allow", Action = ["aps:RemoteWrite"], Resource = [workspace.arn] }],
  )
}
