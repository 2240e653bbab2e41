# Dashboards and searches, each by a switch: they cost by the hour or by the sample whether anybody looks or not.
resource "aws_prometheus_workspace" "this" {
  count = var.managed_prometheus ? 1 : 0

  alias       = var.name
  kms_key_arn = var.logs_key_arn
}

# The same rules as the operator has in the cluster, out of the same file (helm/exchange/files/alerts.yml).
resource "aws_prometheus_rule_group_namespace" "this" {
  count = var.managed_prometheus ? 1 : 0

  name         = "exchange"
  workspace_id = aws_prometheus_workspace.this[0].id
  data         = var.prometheus_rules
}

resource "aws_prometheus_alert_manager_definition" "this" {
  count = var.managed_prometheus ? 1 : 0

  workspace_id = aws_prometheus_workspace.this[0].id
  definition = yamlencode({ alertmanager_config = yamlencode({
    route     = { receiver = "people", group_by = ["alertname"] }
    receivers = [{ name = "people", sns_configs = [{ topic_arn = aws_sns_topic.alarms.arn, sigv4 = { region = data.aws_region.this.region } }] }]
  }) })
}

data "aws_region" "this" {}

# Managed Prometheus speaks through the same topic as CloudWatch.
resource "aws_sns_topic_policy" "alarms" {
  count = var.managed_prometheus ? 1 : 0

  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alerts"
        Effect    = "Allow"
        Principal = { Service = "aps.amazonaws.com" }
        Action    = ["sns:GetTopicAttributes", "sns:Publish"]
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
      },
    ]
  })
}

resource "aws_grafana_workspace" "this" {
  count = var.managed_grafana ? 1 : 0

  name                     = var.name
  account_access_type      = "CURRENT_ACCOUNT"
  authentication_providers = ["AWS_SSO"]
  permission_type          = "CUSTOMER_MANAGED"
  data_sources             = ["CLOUDWATCH", "PROMETHEUS", "XRAY"]
  role_arn                 = module.grafana_role[0].arn
}

module "grafana_role" {
  source = "../service_role"
  count  = var.managed_grafana ? 1 : 0

  name             = "${var.name}-grafana"
  description      = "Grafana, reading metrics and traces"
  service          = "grafana.amazonaws.com"
  trust_condition  = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
  managed_policies = { cloudwatch = "arn:aws:iam::aws:policy/service-role/AmazonGrafanaCloudWatchAccess" }
  statements = concat(
    [{ Effect = "Allow", Action = ["xray:BatchGetTraces", "xray:GetServiceGraph", "xray:GetTraceSummaries"], Resource = "*" }],
    [for workspace in aws_prometheus_workspace.this : {
      Effect = "Allow", Action = ["aps:GetLabels", "aps:GetMetricMetadata", "aps:GetSeries", "aps:QueryMetrics"], Resource = workspace.arn
    }],
  )
}

module "search_group" {
  source = "../security_group"
  count  = var.log_search ? 1 : 0

  name        = "${var.name}-search"
  description = "OpenSearch"
  vpc_id      = var.vpc_id
  ports       = { https = 443 }
  clients     = var.clients
}

resource "aws_opensearch_domain" "this" {
  count = var.log_search ? 1 : 0

  domain_name    = substr(var.name, 0, 28)
  engine_version = "OpenSearch_2.19"

  cluster_config {
    instance_type          = "r7g.large.search"
    instance_count         = 3
    zone_awareness_enabled = true

    zone_awareness_config {
      availability_zone_count = 3
    }
  }

  vpc_options {
    subnet_ids         = var.subnet_ids
    security_group_ids = [module.search_group[0].id]
  }

  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = 100
  }

  encrypt_at_rest {
    enabled    = true
    kms_key_id = var.logs_key_arn
  }

  node_to_node_encryption {
    enabled = true
  }

  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }

  advanced_security_options {
    enabled                        = true
    anonymous_auth_enabled         = false
    internal_user_database_enabled = false

    master_user_options {
      master_user_arn = module.search_admin[0].arn
    }
  }

  log_publishing_options {
    log_type                 = "AUDIT_LOGS"
    cloudwatch_log_group_arn = aws_cloudwatch_log_group.search[0].arn
  }

  depends_on = [aws_cloudwatch_log_resource_policy.search, aws_iam_service_linked_role.search]
}

# CloudWatch Logs asks who may write: the domain is refused at its creation otherwise.
resource "aws_cloudwatch_log_resource_policy" "search" {
  count = var.log_search ? 1 : 0

  policy_name = "${var.name}-opensearch"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "es.amazonaws.com" }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"]
      Resource  = "${aws_cloudwatch_log_group.search[0].arn}:*"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

# Once in an account; where it is there already, `terraform import` takes it over (docs/deploy.md).
resource "aws_iam_service_linked_role" "search" {
  count = var.log_search ? 1 : 0

  aws_service_name = "opensearchservice.amazonaws.com"
  description      = "OpenSearch, its interfaces in our VPC"
}

resource "aws_cloudwatch_log_group" "search" {
  count = var.log_search ? 1 : 0

  name              = "/${var.name}/opensearch-audit"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

# Taken by the collector, which writes indices; people come through it as well, by session.
module "search_admin" {
  source = "../service_role"
  count  = var.log_search ? 1 : 0

  name        = "${var.name}-search-admin"
  description = "Administration of the log search"
  service     = "pods.eks.amazonaws.com"
}

data "aws_caller_identity" "this" {}
