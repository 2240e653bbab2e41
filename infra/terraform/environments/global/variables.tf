variable "region" {
  description = "Region where production leads."
  type        = string
  default     = "eu-central-1"
}

variable "zone" {
  description = "The domain, e.g. example.com."
  type        = string
}

variable "emails" {
  description = "Who is told about money."
  type        = set(string)
}

variable "budgets" {
  description = "Monthly limits in US dollars (docs/deploy.md says what to expect)."
  type        = map(object({ limit_usd = number, services = optional(list(string)) }))
  default = {
    all     = { limit_usd = 5000 }
    kafka   = { limit_usd = 900, services = ["Amazon Managed Streaming for Apache Kafka"] }
    network = { limit_usd = 600, services = ["Amazon Virtual Private Cloud", "EC2 - Other"] }
  }
}

variable "anomaly_monitor_arn" {
  description = "ARN of the cost monitor that AWS made (`aws ce get-anomaly-monitors`); null until Cost Explorer has been switched on."
  type        = string
  default     = null
}

variable "anomaly_usd" {
  description = "From which unexpected cost on somebody is told."
  type        = number
  default     = 50
}

variable "cost_tags" {
  description = "Tags to tell costs apart by, e.g. [\"Environment\"]: from the second day on, when AWS has seen them."
  type        = set(string)
  default     = []
}

variable "second_region" {
  description = "The other region: its name, and both load balancers by region, once they are there."
  type = object({
    name                    = string
    load_balancers          = optional(map(string), {})
    standby_traffic_percent = optional(number, 0)
  })
  default = null
}

variable "global_database" {
  description = "Aurora Global Database for both regions: its name, the version of both clusters (modules/aurora), whether it can be deleted; null for none."
  type        = object({ name = optional(string, "exchange-global"), engine_version = optional(string, "17.7"), protected = optional(bool, true) })
  default     = null
}

variable "delivery" {
  description = "Builds of the image and the nightly comparison (modules/delivery): the repository of this code and its connection, the bucket of the states, what is compared; null for none."
  type = object({
    repository      = object({ url = string, connection_arn = string, type = optional(string, "GITHUB"), branch = optional(string, "main") })
    state_bucket    = string
    environments    = optional(list(string), ["global", "production"])
    tools_image     = optional(string)
    terraform_image = optional(string, "hashicorp/terraform:1.11.4")
  })
  default = null
}
