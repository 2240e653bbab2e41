variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "leading_region" {
  description = "Region where the engine leads."
  type        = string
}

variable "load_balancers" {
  description = "ARN of each region's load balancer, by region; empty for no accelerator."
  type        = map(string)
  default     = {}
}

variable "standby_traffic_percent" {
  description = "Share of its own traffic that the other region answers: 0 keeps it idle until the leading one is gone, 100 lets it serve reads."
  type        = number
  default     = 0

  validation {
    condition     = var.standby_traffic_percent >= 0 && var.standby_traffic_percent <= 100
    error_message = "0 to 100."
  }
}

variable "flow_log_bucket" {
  description = "Bucket for the accelerator's flow logs, if any."
  type        = string
  default     = null
}

variable "zone_id" {
  description = "Id of the hosted zone."
  type        = string
}

variable "host" {
  description = "Name of the accelerator, e.g. world.api.example.com: one that the load balancers' certificates and rules know."
  type        = string
}
