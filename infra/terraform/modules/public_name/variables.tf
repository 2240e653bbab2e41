variable "host" {
  description = "The name, which the certificate covers."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of this region for it."
  type        = string
}

variable "zone_id" {
  description = "The hosted zone."
  type        = string
}

variable "api_id" {
  description = "Id of the API, HTTP or REST."
  type        = string
}

variable "stage" {
  description = "Its stage."
  type        = string
}

variable "nearest" {
  description = "For a name that every region has: this one, which answers whom it is nearest to, as long as the check is green, if there is one. Null for a name of this region alone."
  type        = object({ region = string, health_check_id = optional(string) })
  default     = null
}
