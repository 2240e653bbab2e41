variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "vpc_cidr" {
  description = "The VPC's network."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the VPC link, one a zone."
  type        = list(string)
}

variable "load_balancer_arn" {
  description = "The load balancer that the Ingress has made."
  type        = string
}

variable "listener_arn" {
  description = "Its HTTPS listener."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of this region for *.<api_host>."
  type        = string
}

variable "zone_id" {
  description = "The hosted zone."
  type        = string
}

variable "api_host" {
  description = "Name in the load balancer's certificate."
  type        = string
}

variable "web_host" {
  description = "Name of the terminal, whose pages may call."
  type        = string
}

variable "jwt_issuer" {
  description = "Whose tokens are believed."
  type        = string
}

variable "jwt_audience" {
  description = "Clients whose tokens are believed."
  type        = list(string)
}

variable "web_acl_arn" {
  description = "WAF rules of the market-data stage."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "accounts_rate" {
  description = "Requests a second for accounts, in all."
  type        = number
  default     = 200
}

variable "market_data_rate" {
  description = "Requests a second for market data, in all."
  type        = number
  default     = 2000
}

variable "cache_gib" {
  description = "Size of the cache as API Gateway sells it (0.5, 1.6, 6.1, …), as text; null for none. It costs by the hour."
  type        = string
  default     = "0.5"

  validation {
    condition     = var.cache_gib == null ? true : contains(["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"], var.cache_gib)
    error_message = "One of 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237."
  }
}
