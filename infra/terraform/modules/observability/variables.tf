variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "emails" {
  description = "Who gets alarms by e-mail."
  type        = set(string)
  default     = []
}

variable "processes" {
  description = "Processes of the exchange: a log group each."
  type        = set(string)
  default = [
    "archive", "auditor", "engine", "jobs", "market-data", "market-history", "notifier", "order", "projections", "user",
  ]
}

variable "log_retention_days" {
  description = "Days for which the processes' logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "One of CloudWatch's own steps, a month at least."
  }
}

variable "logs_key_arn" {
  description = "Key of log groups, alarms' topic, workspaces and search."
  type        = string
}

variable "msk_brokers" {
  description = "How many brokers there are: each has a disk of its own to watch."
  type        = number
}

variable "msk_name" {
  description = "Name of the Kafka cluster."
  type        = string
}

variable "aurora_id" {
  description = "Identifier of the Aurora cluster."
  type        = string
}

variable "redis_nodes" {
  description = "Id of each node of Redis: its memory is published node by node."
  type        = list(string)
}

variable "functions" {
  description = "Names of the Lambda functions whose failures are told."
  type        = set(string)
  default     = []
}

variable "tables" {
  description = "Names of the DynamoDB tables whose throttling is told."
  type        = set(string)
  default     = []
}

variable "streams" {
  description = "Names of the Kinesis streams to the lake; Firehose's have the same."
  type        = set(string)
  default     = []
}

variable "certificates" {
  description = "ARNs of the certificates whose end is told, by a name of ours."
  type        = map(string)
  default     = {}
}

variable "replicated_buckets" {
  description = "Buckets that are copied to another region: name -> source and destination."
  type        = map(object({ source = string, destination = string }))
  default     = {}
}

variable "load_balancer" {
  description = "The load balancer as CloudWatch knows it, app/name/id; null before there is one."
  type        = string
  default     = null
}

variable "database_connections" {
  description = "Connections to the writer above which somebody else must be there."
  type        = number
  default     = 400
}

variable "dead_letter_queues" {
  description = "Names of the queues of dead letters."
  type        = map(string)
  default     = {}
}

variable "cancel_endpoint" {
  description = "The label `endpoint` of a cancellation in exchange_order_request_seconds."
  type        = string
  default     = "order.cancel"
}

variable "band_width" {
  description = "Standard deviations that a usual band is wide."
  type        = number
  default     = 4
}

variable "managed_prometheus" {
  description = "Whether there is an Amazon Managed Prometheus workspace."
  type        = bool
  default     = false
}

variable "prometheus_rules" {
  description = "Rules of Managed Prometheus, YAML with `groups`."
  type        = string
  default     = null
}

variable "managed_grafana" {
  description = "Whether there is an Amazon Managed Grafana workspace (needs IAM Identity Center)."
  type        = bool
  default     = false
}

variable "log_search" {
  description = "Whether logs can be searched in OpenSearch."
  type        = bool
  default     = false
}

variable "vpc_id" {
  description = "The VPC, for OpenSearch."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Subnets of OpenSearch, one a zone."
  type        = list(string)
  default     = []
}

variable "clients" {
  description = "Security groups that may search, by name."
  type        = map(string)
  default     = {}
}
