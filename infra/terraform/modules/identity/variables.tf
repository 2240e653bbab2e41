variable "name" {
  description = "Name of the pool."
  type        = string
}

variable "web_host" {
  description = "Name of the terminal, to which Cognito sends people back."
  type        = string
}

variable "domain_prefix" {
  description = "First part of Cognito's own sign-in address, unique in the region."
  type        = string
}

variable "email" {
  description = "Identity of SES, and the address that codes come from; null for Cognito's own mailer (some fifty mails a day)."
  type        = object({ identity_arn = string, from = string })
  default     = null
}

variable "mfa" {
  description = "ON (everybody), OPTIONAL or OFF."
  type        = string
  default     = "ON"

  validation {
    condition     = contains(["ON", "OPTIONAL", "OFF"], var.mfa)
    error_message = "ON, OPTIONAL or OFF."
  }
}

variable "second_region" {
  description = "Region of a second pool, if any."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Refuse deletion of the pool."
  type        = bool
  default     = true
}
