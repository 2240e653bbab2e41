variable "name" {
  description = "Name of the bucket, unique in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "3 to 63 lower-case letters, digits and hyphens (no dots: they break TLS names)."
  }
}

variable "kms_key_arn" {
  description = "Key of the objects; null for S3's own, which a few AWS log deliveries need."
  type        = string
  default     = null
}

variable "statements" {
  description = "More statements of the bucket policy; Resource holds paths, e.g. [\"/*\"] or [\"\"] for the bucket itself."
  type        = any
  default     = []
}

variable "object_lock" {
  description = "Write-once retention of every object: mode GOVERNANCE or COMPLIANCE (which not even root can shorten), days. Cannot be taken away later."
  type = object({
    mode = string
    days = number
  })
  default = null

  validation {
    condition     = var.object_lock == null ? true : contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days > 0
    error_message = "mode GOVERNANCE or COMPLIANCE, at least one day."
  }
}

variable "tiers" {
  description = "Lifecycle rules by name: prefix, transitions (storage class -> days), expire_days."
  type = map(object({
    prefix      = optional(string, "")
    transitions = optional(map(number), {})
    expire_days = optional(number)
  }))
  default = {}
}

variable "noncurrent_days" {
  description = "Days for which a replaced or deleted version can be brought back."
  type        = number
  default     = 30
}

variable "access_log_bucket" {
  description = "Bucket that receives access logs, if any."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with its objects. Never in production."
  type        = bool
  default     = false
}
