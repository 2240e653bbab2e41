variable "name" {
  description = "Name of the replication group; 40 characters at most."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "2 to 40 lower-case letters, digits and hyphens."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way to the internet, one a zone."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may connect, by name."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "Key of memory on disk and of snapshots."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "user_id" {
  description = "The exchange's user; its password is rotated by modules/security."
  type        = string
}

variable "engine" {
  description = "valkey or redis."
  type        = string
  default     = "valkey"

  validation {
    condition     = contains(["redis", "valkey"], var.engine)
    error_message = "valkey or redis."
  }
}

variable "engine_version" {
  description = "Version of the engine."
  type        = string
  default     = "8.1"
}

variable "parameter_family" {
  description = "Parameter family that goes with the version."
  type        = string
  default     = "valkey8"
}

variable "node_type" {
  description = "Class of the nodes."
  type        = string
  default     = "cache.m7g.large"
}

variable "shards" {
  description = "Shards of the cluster."
  type        = number
  default     = 1

  validation {
    condition     = var.shards >= 1 && var.shards <= 90
    error_message = "1 to 90."
  }
}

variable "replicas" {
  description = "Replicas of each shard; two put a copy in each of three zones."
  type        = number
  default     = 2

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5
    error_message = "1 to 5: without a replica there is no failover."
  }
}

variable "eviction" {
  description = "volatile-lru: only keys with an expiry may go. noeviction: writes fail when memory is full."
  type        = string
  default     = "volatile-lru"

  validation {
    condition     = contains(["noeviction", "volatile-lru"], var.eviction)
    error_message = "Policies that evict keys without an expiry would lose books."
  }
}

variable "snapshot_days" {
  description = "Days for which daily snapshots are kept."
  type        = number
  default     = 3
}
