variable "name" {
  description = "Alias of the key, without `alias/`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9/-]{1,100}$", var.name))
    error_message = "Lower-case letters, digits, hyphens and slashes."
  }
}

variable "description" {
  description = "What the key protects."
  type        = string
}

variable "services" {
  description = "AWS services that use the key on their own behalf, by statement id. With `source_arn` the use is bound to that ARN pattern in the context key, else to this account."
  type = map(object({
    principal   = string
    source_arn  = optional(string)
    context_key = optional(string, "aws:SourceArn")
  }))
  default = {}
}

variable "roles" {
  description = "Roles that use the key without rights of their own, and let AWS's resources use it, by statement id: a service's linked role. Each must be there."
  type        = map(string)
  default     = {}
}

variable "deletion_window_days" {
  description = "Days during which a deleted key can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "AWS allows 7 to 30 days."
  }
}

variable "multi_region" {
  description = "Whether the key can be replicated to a second region."
  type        = bool
  default     = false
}

variable "replica_of" {
  description = "ARN of a multi-region key elsewhere that this one is a replica of; null for a key of its own."
  type        = string
  default     = null

  validation {
    condition     = var.replica_of == null || can(regex(":key/mrk-", var.replica_of))
    error_message = "Only a multi-region key (mrk-...) can be replicated: set multi_region where it was made."
  }
}
