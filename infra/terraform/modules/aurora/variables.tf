variable "name" {
  description = "Identifier of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way to the internet, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "Three zones."
  }
}

variable "zones" {
  description = "The three availability zones."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may connect, by name."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "Key of the storage, its backups and Performance Insights."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the master user's secret."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "engine_version" {
  description = "Version of Aurora PostgreSQL."
  type        = string
  default     = "17.7"
}

variable "database_name" {
  description = "The database that is made with the cluster."
  type        = string
  default     = "exchange"
}

variable "instance_class" {
  description = "Class of writer and readers. All alike: any reader may become the writer."
  type        = string
  default     = "db.r8g.large"
}

variable "readers" {
  description = "Readers beside the writer; two put an instance in each of three zones."
  type        = number
  default     = 2

  validation {
    condition     = var.readers >= 1 && var.readers <= 15
    error_message = "At least one reader (it is the failover target), 15 at most."
  }
}

variable "readers_max" {
  description = "Up to how many readers autoscaling goes."
  type        = number
  default     = 4
}

variable "io_optimized" {
  description = "Storage without a price per I/O: cheaper from about a quarter of the bill being I/O."
  type        = bool
  default     = false
}

variable "backup_days" {
  description = "Days over which the cluster can be restored to any second."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "1 to 35 days."
  }
}

variable "deletion_protection" {
  description = "Refuse deletion, and take a last snapshot when it is lifted."
  type        = bool
  default     = true
}

variable "parameters" {
  description = "More cluster parameters, or others than the defaults."
  type        = map(string)
  default     = {}
}

variable "global_cluster" {
  description = "Name of the Aurora Global Database (environments/global makes it) that this cluster belongs to; null for none."
  type        = string
  default     = null
}

variable "global_primary" {
  description = "Whether this cluster is the first of the global database, or joins it as a copy. Of no effect afterwards."
  type        = bool
  default     = true
}

variable "master_password" {
  description = "First password of the first cluster of a global database. It is written into no state; null anywhere else."
  type        = string
  default     = null
  sensitive   = true
}
