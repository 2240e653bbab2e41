variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "zone" {
  description = "The hosted zone, e.g. example.com."
  type        = string
}

variable "host" {
  description = "Name under which the exchange is reached, e.g. api.example.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.host))
    error_message = "A DNS name."
  }
}

variable "load_balancer" {
  description = "The load balancer that the Ingress has made; null before there is one."
  type = object({
    arn      = string
    dns_name = string
    zone_id  = string
  })
  default = null
}

variable "validation_record" {
  description = "Whether the record that proves the name to ACM is made here; false where environments/global has made it."
  type        = bool
  default     = true
}

variable "failover_role" {
  description = "PRIMARY where the engine leads, SECONDARY in the other region."
  type        = string
  default     = "PRIMARY"

  validation {
    condition     = contains(["PRIMARY", "SECONDARY"], var.failover_role)
    error_message = "PRIMARY or SECONDARY."
  }
}

variable "request_limit" {
  description = "Requests a minute from one address."
  type        = number
  default     = 12000
}

variable "counted_elsewhere" {
  description = "Networks whose addresses stand for many people each: CloudFront's edges, API Gateway's way into the VPC."
  type        = list(string)
  default     = null
}

variable "bot_control" {
  description = "Whether AWS's bot rules are added."
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

variable "logs_key_arn" {
  description = "Key of the log of blocked requests."
  type        = string
}
