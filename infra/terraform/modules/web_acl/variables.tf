variable "name" {
  description = "Name of the rules."
  type        = string
}

variable "description" {
  description = "What they stand in front of."
  type        = string
}

variable "scope" {
  description = "REGIONAL (load balancer, API Gateway, Cognito) or CLOUDFRONT."
  type        = string

  validation {
    condition     = contains(["REGIONAL", "CLOUDFRONT"], var.scope)
    error_message = "REGIONAL or CLOUDFRONT."
  }
}

variable "request_limit" {
  description = "Requests a minute from one address. Market makers need thousands; the exchange counts weights besides."
  type        = number
  default     = 12000
}

variable "login_limit" {
  description = "Tries a minute from one address to log in or to sign up."
  type        = number
  default     = 60

  validation {
    condition     = var.login_limit >= 10
    error_message = "WAF counts from 10 on."
  }
}

variable "counted_elsewhere" {
  description = "Networks whose addresses stand for many people each, who are counted where they come in (CloudFront's edges, API Gateway's way into the VPC); null for none."
  type        = list(string)
  default     = null
}

variable "bot_control" {
  description = "Whether AWS's bot rules are added (they cost by the request)."
  type        = bool
  default     = false
}

variable "blocked_countries" {
  description = "Two-letter codes of countries from which nothing is served."
  type        = list(string)
  default     = []
}

variable "log_blocked" {
  description = "Whether blocked requests are logged. Rules of CloudFront could log only in us-east-1, under a key there."
  type        = bool
  default     = true
}

variable "logs_key_arn" {
  description = "Key of that log."
  type        = string
  default     = null
}
