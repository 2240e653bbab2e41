variable "name" {
  description = "Name of vault and plan."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the copies."
  type        = string
}

variable "resource_arns" {
  description = "What is copied: ARNs of clusters and tables."
  type        = list(string)
}

variable "kept_days" {
  description = "How long a copy is kept."
  type        = number
  default     = 35

  validation {
    condition     = var.kept_days >= 7
    error_message = "A fault that is found after a weekend must still be older than the oldest copy."
  }
}

variable "copy_vault_arn" {
  description = "A vault in another region that gets a copy of each copy (output `backup_vault` there); null for none."
  type        = string
  default     = null
}

variable "locked" {
  description = "Whether copies cannot be taken away before their time (governance: who may delete the lock can)."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may take the copies with it."
  type        = bool
  default     = false
}
