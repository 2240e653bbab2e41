variable "bucket_prefix" {
  description = "Prefix of the buckets' names; holds account and region, since names are unique in the world."
  type        = string

  validation {
    condition     = length(var.bucket_prefix) <= 50
    error_message = "50 characters leave room for the suffixes."
  }
}

variable "kms_key_arn" {
  description = "Key of archive and snapshots."
  type        = string
}

variable "audit_lock" {
  description = "Object Lock of the archive: nobody can change or delete a log while it lasts. null in environments that are torn down."
  type = object({
    mode = string
    days = number
  })
  default = { mode = "COMPLIANCE", days = 2555 }
}

variable "archive_transitions" {
  description = "When archived logs move to colder storage: storage class -> days. Only classes that are read at once."
  type        = map(number)
  default     = { STANDARD_IA = 30, GLACIER_IR = 90 }

  validation {
    condition     = length(setintersection(keys(var.archive_transitions), ["GLACIER", "DEEP_ARCHIVE"])) == 0
    error_message = "A rebuild reads the whole archive: from GLACIER and DEEP_ARCHIVE that takes hours of asking first."
  }
}

variable "snapshot_days" {
  description = "Days after which a snapshot is deleted. The command log must reach back at least as far."
  type        = number
  default     = 35
}

variable "replica" {
  description = "Buckets (`archive`, `snapshots`) and key in the second region, if there is one."
  type = object({
    bucket_arns = map(string)
    kms_key_arn = string
  })
  default = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete buckets with their objects."
  type        = bool
  default     = false
}
