variable "name" {
  description = "Prefix of every name, e.g. exchange-production."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,31}$", var.name))
    error_message = "3 to 32 lower-case letters, digits and hyphens."
  }
}

variable "bucket_prefix" {
  description = "Prefix of buckets' names."
  type        = string
}

variable "runtime_monitoring" {
  description = "Whether GuardDuty puts its agent on every node of the account's clusters; with account_guards."
  type        = bool
  default     = false
}

variable "account_guards" {
  description = "Whether GuardDuty, Security Hub and CloudTrail are set up here; once in each account and region."
  type        = bool
  default     = true
}

variable "application_key_replica_of" {
  description = "The leading region's key of API secrets, ARN, where this is not that region: copied secrets open only by a replica of it."
  type        = string
  default     = null
}

variable "redis_user" {
  description = "Id of the Redis user whose password is rotated."
  type        = string
}

variable "rotation_package" {
  description = "The zip of the rotation function in S3, with the hash of its bytes, by which a new one is noticed; null until it has been uploaded."
  type = object({
    bucket        = string
    key           = string
    version       = optional(string)
    sha256_base64 = string
  })
  default = null
}

variable "rotation_days" {
  description = "Days after which a password is replaced."
  type        = number
  default     = 30

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 365
    error_message = "1 to 365 days."
  }
}

variable "secret_recovery_days" {
  description = "Days during which a deleted secret can be brought back; 0 where environments are torn down often."
  type        = number
  default     = 30
}

variable "audit_lock" {
  description = "Object Lock of the audit trail: mode and days, or null."
  type = object({
    mode = string
    days = number
  })
  default = { mode = "COMPLIANCE", days = 365 }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete buckets with their objects."
  type        = bool
  default     = false
}
