variable "name" {
  description = "Name of the environment in this region, e.g. exchange-production: the prefix of everything."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "3 to 24 lower-case letters, digits and hyphens."
  }
}

variable "protected" {
  description = "Deletion protection, locked audit buckets, long backups. Off where everything may be torn down."
  type        = bool
}

variable "leads" {
  description = "Whether the engine leads in this region. Exactly one region of an environment does."
  type        = bool
  default     = true
}

variable "cidr" {
  description = "The VPC's network, a /16."
  type        = string
  default     = "10.20.0.0/16"
}

variable "nat_gateways" {
  description = "none, single or per_zone."
  type        = string
  default     = "per_zone"
}

variable "zone" {
  description = "The hosted zone, e.g. example.com."
  type        = string
}

variable "host" {
  description = "Name of the exchange, e.g. api.example.com."
  type        = string
}

variable "web_host" {
  description = "Name of the terminal, e.g. trade.example.com."
  type        = string
}

variable "image_repository" {
  description = "Address of the image's repository (environments/global makes it)."
  type        = string
}

variable "image_digest" {
  description = "Digest of the image that the functions run, sha256:…; null until one has been pushed."
  type        = string
  default     = null

  validation {
    condition     = var.image_digest == null ? true : can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "sha256: and 64 hexadecimal digits."
  }
}

variable "rotation_package" {
  description = "The zip of the rotation function in S3; null until it has been uploaded."
  type = object({
    bucket        = string
    key           = string
    version       = optional(string)
    sha256_base64 = string
  })
  default = null
}

variable "runtime_monitoring" {
  description = "Whether GuardDuty puts its agent on every node."
  type        = bool
  default     = false
}

variable "own_disks_key" {
  description = "Whether nodes' disks are under a key of ours. Auto Scaling's linked role must be there (docs/deploy.md)."
  type        = bool
  default     = false
}

variable "backup" {
  description = "Daily copies of Aurora and the tables of candles and trades in a vault of AWS Backup; null for none."
  type        = object({ kept_days = optional(number, 35), copy_vault_arn = optional(string) })
  default     = null
}

variable "load_balancer_name" {
  description = "Name of the load balancer that the Ingress has made; null before `helm install`."
  type        = string
  default     = null
}

variable "control_plane_cidrs" {
  description = "Networks that may reach Kubernetes from outside; empty for none."
  type        = list(string)
  default     = []
}

variable "administrators" {
  description = "IAM roles that administer the cluster, by name."
  type        = map(string)
  default     = {}
}

variable "alarm_emails" {
  description = "Who gets alarms."
  type        = set(string)
  default     = []
}

variable "account_guards" {
  description = "Whether CloudTrail, GuardDuty and Security Hub are set up by this environment (once an account and region)."
  type        = bool
  default     = true
}

variable "validation_record" {
  description = "Whether the record that proves `host` to ACM is made here; false where environments/global has made it."
  type        = bool
  default     = true
}

variable "api_gateway" {
  description = "Whether API Gateway stands beside the load balancer."
  type        = bool
  default     = false
}

variable "lake" {
  description = "Whether market data go to the lake."
  type        = bool
  default     = false
}

variable "tools" {
  description = "Managed Prometheus, Managed Grafana, OpenSearch."
  type = object({
    prometheus = optional(bool, false)
    grafana    = optional(bool, false)
    log_search = optional(bool, false)
  })
  default = {}
}

variable "bot_control" {
  description = "Whether AWS's bot rules are added to WAF."
  type        = bool
  default     = false
}

variable "blocked_countries" {
  description = "Two-letter codes of countries from which nothing is served."
  type        = list(string)
  default     = []
}

variable "shield_advanced" {
  description = "Whether Shield Advanced protects the load balancer."
  type        = bool
  default     = false
}

variable "stateless_on_spot" {
  description = "Whether stateless services run on Spot."
  type        = bool
  default     = true
}

variable "frontend" {
  description = "Whether the terminal's distribution is made here. One serves the world, whichever region leads."
  type        = bool
  default     = true
}

variable "application_key_replica_of" {
  description = "The leading region's key of API secrets, where this is not that region: output `application_key` of the other side."
  type        = string
  default     = null
}

variable "second_pool_region" {
  description = "Region of a second Cognito pool, where people can sign in though the exchange does not run there."
  type        = string
  default     = null
}

variable "other_hosts" {
  description = "Names beside host that lead to this load balancer, such as the accelerator's."
  type        = list(string)
  default     = []
}

variable "other_issuers" {
  description = "Issuers of tokens in other regions that are believed here too: output `issuers` of the other side."
  type        = list(string)
  default     = []
}

variable "other_audiences" {
  description = "Clients that those tokens are made for: output `audiences` of the other side."
  type        = list(string)
  default     = []
}

variable "global_database" {
  description = "Name of the Aurora Global Database; null for none."
  type        = string
  default     = null
}

variable "database_password" {
  description = "First password of the first cluster of a global database, which cannot keep its own; written into no state."
  type        = string
  default     = null
  sensitive   = true
}

variable "database_secret_arn" {
  description = "Secret with username and password of the database's owner, where there is a global database."
  type        = string
  default     = null

  validation {
    condition     = (var.database_secret_arn == null) == (var.global_database == null)
    error_message = "A global database keeps no secret of its own, so it has one of ours; any other database has its own."
  }
}

variable "database_authority" {
  description = "The certificate (PEM) of RDS's authority `rds-ca-rsa2048-g1` in this region, for the function that makes statements; null for none."
  type        = string
  default     = null
}

variable "history_replica_of" {
  description = "In the region that stands by: `name` of the leading one, whose tables are copied here (history_replicas there)."
  type        = string
  default     = null
}

variable "history_replicas" {
  description = "Regions with a copy of the tables of candles and trades (DynamoDB global tables), and the key there."
  type        = map(string)
  default     = {}
}

variable "mail" {
  description = "Whether Cognito sends by SES, in the name of the terminal's host; without it some fifty mails a day."
  type        = bool
  default     = true
}

variable "storage_replica" {
  description = "Buckets and key in the other region."
  type = object({
    bucket_arns = map(string)
    kms_key_arn = string
  })
  default = null
}

variable "size" {
  description = "How large everything is. The defaults carry 500 requests a second; environments/production/ten-times.tfvars ten times that."
  type = object({
    engine_instance_types    = optional(list(string), ["c8g.xlarge"])
    engine_nodes             = optional(object({ min = number, max = number }), { min = 3, max = 6 })
    base_instance_types      = optional(list(string), ["m8g.large", "m7g.large"])
    base_nodes               = optional(object({ min = number, max = number }), { min = 3, max = 9 })
    stateless_instance_types = optional(list(string), ["c8g.large", "c7g.large", "m8g.large", "m7g.large", "c6g.large"])
    stateless_nodes          = optional(object({ min = number, max = number }), { min = 3, max = 12 })
    kafka_instance_type      = optional(string, "kafka.m7g.large")
    kafka_brokers_per_zone   = optional(number, 1)
    kafka_volume_gib         = optional(number, 200)
    database_instance_class  = optional(string, "db.r8g.large")
    database_readers         = optional(number, 2)
    database_readers_max     = optional(number, 4)
    database_io_optimized    = optional(bool, false)
    redis_node_type          = optional(string, "cache.m7g.large")
    redis_shards             = optional(number, 1)
    redis_replicas           = optional(number, 2)
    history_capacity         = optional(object({ read_min = number, read_max = number, write_min = number, write_max = number }))
    lake_shards              = optional(number)
    request_limit            = optional(number, 12000)
  })
  default = {}
}
