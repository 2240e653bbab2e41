variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
  default     = ["exchange"]
}

variable "kms_key_arn" {
  description = "Key of the images; null for ECR's own."
  type        = string
  default     = null
}

variable "images_kept" {
  description = "Images that each repository keeps."
  type        = number
  default     = 100

  validation {
    condition     = var.images_kept >= 10
    error_message = "Keep enough to roll back to."
  }
}

variable "replica_regions" {
  description = "Regions that get a copy of every image."
  type        = set(string)
  default     = []
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete repositories with their images."
  type        = bool
  default     = false
}
