variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "vpc_cidr" {
  description = "The VPC's network, the only one that brokers may open connections to."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a way to the internet, one in each of three zones."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may connect, by name."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "Key of the logs on disk."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the brokers' own log group."
  type        = string
}

variable "kafka_version" {
  description = "Version of Kafka, in KRaft mode."
  type        = string
  default     = "3.9.x.kraft"
}

variable "instance_type" {
  description = "Class of the brokers."
  type        = string
  default     = "kafka.m7g.large"
}

variable "brokers_per_zone" {
  description = "Brokers in each of the three zones."
  type        = number
  default     = 1

  validation {
    condition     = var.brokers_per_zone >= 1 && var.brokers_per_zone <= 10
    error_message = "1 to 10."
  }
}

variable "volume_gib" {
  description = "First size of each broker's disk, in GiB."
  type        = number
  default     = 200
}

variable "volume_gib_max" {
  description = "Size up to which a disk grows by itself, in GiB: MSK's own limit. What is archived is cut off the topics (ADR 0020)."
  type        = number
  default     = 16384
}
