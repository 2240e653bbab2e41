variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "bucket_prefix" {
  description = "Prefix of buckets' names."
  type        = string
}

variable "kms_key_arn" {
  description = "Key of the stream and the bucket."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "shards" {
  description = "Shards of the stream (1 MB/s in, each); null for on-demand."
  type        = number
  default     = null
}

variable "query_bytes_max" {
  description = "Bytes that one question may read: 10 GiB are five cents."
  type        = number
  default     = 10737418240
}

variable "access_log_bucket" {
  description = "Bucket that receives access logs, if any."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with its objects."
  type        = bool
  default     = false
}
