variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "zone" {
  description = "The hosted zone, made by environments/global, e.g. example.com."
  type        = string
}

variable "image_repository" {
  description = "Address of the image's repository: output `repositories` of environments/global."
  type        = string
}

variable "image_digest" {
  description = "Digest of the image, sha256:…; null until one has been pushed."
  type        = string
  default     = null
}

variable "rotation_package" {
  description = "The zip of the rotation function in S3: bucket (in this region), key, version, and the hash of its bytes; null until it has been uploaded."
  type        = object({ bucket = string, key = string, version = optional(string), sha256_base64 = string })
  default     = null
}

variable "load_balancer_name" {
  description = "Name of the Ingress's load balancer; null before `helm install`."
  type        = string
  default     = null
}

variable "administrators" {
  description = "IAM roles that administer the cluster, by name."
  type        = map(string)
  default     = {}
}

variable "control_plane_cidrs" {
  description = "Networks that may reach Kubernetes from outside."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "Who gets alarms."
  type        = set(string)
  default     = []
}

variable "leads" {
  description = "Whether the engine leads in this region."
  type        = bool
  default     = true
}

variable "cidr" {
  description = "The VPC's network; another one in each region."
  type        = string
  default     = "10.20.0.0/16"
}

variable "switches" {
  description = "What is not needed for trading and costs extra."
  type = object({
    api_gateway     = optional(bool, true)
    lake            = optional(bool, true)
    bot_control     = optional(bool, false)
    shield_advanced = optional(bool, false)
    spot            = optional(bool, true)
    mail            = optional(bool, true)
    own_disks_key   = optional(bool, false)

    runtime_monitoring = optional(bool, false)
    tools = optional(object({
      prometheus = optional(bool, false)
      grafana    = optional(bool, false)
      log_search = optional(bool, false)
    }), {})
  })
  default = {}
}

variable "backup" {
  description = "Daily copies in a vault of AWS Backup: how long each is kept, and the vault in another region that gets one too (output `backup_vault` there); null for none."
  type        = object({ kept_days = optional(number, 35), copy_vault_arn = optional(string) })
  default     = null
}

variable "account_guards" {
  description = "Whether CloudTrail, GuardDuty, Config and Security Hub are set up here; false where an organisation has done it."
  type        = bool
  default     = true
}

variable "blocked_countries" {
  description = "Two-letter codes of countries from which nothing is served."
  type        = list(string)
  default     = []
}

variable "name" {
  description = "Prefix of everything. Roles are named once in an account, so each region has its own."
  type        = string
  default     = "exchange-production"
}

variable "frontend" {
  description = "Whether the terminal's distribution is made from this region."
  type        = bool
  default     = true
}

variable "multi_region" {
  description = "Whether there is a second region: the database is part of the Aurora Global Database of environments/global."
  type        = bool
  default     = false
}

variable "other_hosts" {
  description = "Names beside api.<zone> that lead to this load balancer: [\"world.api.<zone>\"] with a second region."
  type        = list(string)
  default     = []
}

variable "other_issuers" {
  description = "Output `issuers` of the other region."
  type        = list(string)
  default     = []
}

variable "application_key_replica_of" {
  description = "Output `application_key` of the leading region, in the other one."
  type        = string
  default     = null
}

variable "other_audiences" {
  description = "Output `audiences` of the other region."
  type        = list(string)
  default     = []
}

variable "database_password" {
  description = "With multi_region, in the leading region's first apply: the database owner's first password (TF_VAR_database_password). It is written into no state."
  type        = string
  default     = null
  sensitive   = true
}

variable "database_secret_arn" {
  description = "With multi_region: the secret with username and password of the database's owner."
  type        = string
  default     = null
}

variable "second_pool_region" {
  description = "Region of a second Cognito pool, where people can sign in though the exchange does not run there; null for none."
  type        = string
  default     = null
}

variable "database_authority" {
  description = "The certificate (PEM) of RDS's authority `rds-ca-rsa2048-g1` in this region (docs/deploy.md); null for no function that makes statements."
  type        = string
  default     = null
}

variable "history_replica_of" {
  description = "In the region that stands by: `name` of the leading one, whose tables are copied here."
  type        = string
  default     = null
}

variable "history_replicas" {
  description = "Regions with a copy of the tables of candles and trades, and the ARN of the key there: output `replica` of the other region has it."
  type        = map(string)
  default     = {}
}

variable "storage_replica" {
  description = "Output `replica` of the other region."
  type        = object({ bucket_arns = map(string), kms_key_arn = string })
  default     = null
}

variable "size" {
  description = "How large everything is (see modules/exchange); the default carries 500 requests a second."
  type        = any
  default     = {}

  # Terraform drops what an object does not have, without a word: a misspelt size would be none.
  validation {
    condition = length(setsubtract(keys(var.size), [
      "base_instance_types", "base_nodes", "database_instance_class", "database_io_optimized", "database_readers",
      "database_readers_max", "engine_instance_types", "engine_nodes", "history_capacity", "kafka_brokers_per_zone",
      "kafka_instance_type", "kafka_volume_gib", "lake_shards", "redis_node_type", "redis_replicas", "redis_shards",
      "request_limit", "stateless_instance_types", "stateless_nodes",
    ])) == 0
    error_message = "No such size: modules/exchange has the list."
  }
}
