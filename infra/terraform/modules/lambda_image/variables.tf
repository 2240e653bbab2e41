variable "name" {
  description = "Name of the function and of its role."
  type        = string
}

variable "description" {
  description = "What it does."
  type        = string
}

variable "image_uri" {
  description = "The exchange's image, by digest."
  type        = string

  validation {
    condition     = strcontains(var.image_uri, "@sha256:")
    error_message = "Name the image by its digest: repository@sha256:…"
  }
}

variable "handler" {
  description = "Module and function, e.g. services.notifier.aws_lambda.main.send."
  type        = string
}

variable "environment" {
  description = "Environment variables; no secrets."
  type        = map(string)
  default     = {}
}

variable "statements" {
  description = "What the function may do besides logging and tracing."
  type        = any
  default     = []
}

variable "vpc" {
  description = "Subnets and security groups, for a function that asks servers in the VPC; null for one that asks AWS alone."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "timeout_s" {
  description = "Seconds after which a call is ended."
  type        = number
  default     = 30
}

variable "concurrency" {
  description = "How many calls may run at once, taken out of the account's own limit; null for no share of its own. A new account has ten in all and must keep ten unreserved, so it can give none away."
  type        = number
  default     = null
}

variable "logs_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the environment variables."
  type        = string
}
