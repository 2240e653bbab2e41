variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "region" {
  description = "Region of the bucket."
  type        = string
}

variable "bucket_prefix" {
  description = "Prefix of buckets' names."
  type        = string
}

variable "host" {
  description = "Name of the terminal, e.g. trade.example.com."
  type        = string
}

variable "api_host" {
  description = "Name of the exchange, e.g. api.example.com: what is not a file is passed on to it."
  type        = string
}

variable "zone_id" {
  description = "Id of the hosted zone."
  type        = string
}

variable "notices_origin" {
  description = "Where else the page may connect to: wss:// and the host of the WebSocket API of notices; null until there is one."
  type        = string
  default     = null

  validation {
    condition     = var.notices_origin == null ? true : can(regex("^wss://[a-z0-9.-]+$", var.notices_origin))
    error_message = "One host, no pattern: everybody has hosts below amazonaws.com."
  }
}

variable "price_class" {
  description = "How much of the world the files are kept in: PriceClass_100, _200 or _All."
  type        = string
  default     = "PriceClass_200"

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.price_class)
    error_message = "PriceClass_100, PriceClass_200 or PriceClass_All."
  }
}

variable "request_limit" {
  description = "Requests a minute from one address."
  type        = number
  default     = 12000
}

variable "bot_control" {
  description = "Whether AWS's bot rules are added."
  type        = bool
  default     = false
}

variable "log_bucket_arn" {
  description = "Bucket that takes the access log."
  type        = string
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with its files."
  type        = bool
  default     = false
}
