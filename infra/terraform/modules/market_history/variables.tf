variable "name" {
  description = "Prefix of the tables' names."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the tables."
  type        = string
}

variable "capacity" {
  description = "Provisioned and autoscaled capacity, cheaper under a steady load; null for on-demand."
  type = object({
    read_min  = number
    read_max  = number
    write_min = number
    write_max = number
  })
  default = null
}

variable "replica_regions" {
  description = "Regions with a copy, and the key there."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse deletion of the tables."
  type        = bool
  default     = true
}
