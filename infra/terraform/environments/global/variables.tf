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
    network = { limit_usd = 600, services = ["Amazon Virtual Private Cloud"] }
  }
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
  description = "The other region: its name, both load balancers by region, both Kafka clusters (output `kafka` of each)."
  type = object({
    name                    = string
    load_balancers          = optional(map(string), {})
    standby_traffic_percent = optional(number, 0)
    kafka = optional(object({
      source = object({ arn = string, subnet_ids = list(string), security_group_id = string })
      target = object({ arn = string, subnet_ids = list(string), security_group_id = string, region = string })
    }))
  })
  default = null
}
