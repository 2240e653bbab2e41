variable "domain" {
  description = "Domain that mail comes from, e.g. trade.example.com."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.domain))
    error_message = "A DNS name."
  }
}

variable "zone_id" {
  description = "Id of the hosted zone."
  type        = string
}

variable "policy" {
  description = "Whether the domain's DMARC record is made here: in one region of those that share it."
  type        = bool
  default     = true
}
