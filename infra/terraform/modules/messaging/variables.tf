variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of queues, topic and log groups; SNS may use it."
  type        = string
}

variable "data_key_arn" {
  description = "Key of the connections table."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the functions' environment."
  type        = string
}

variable "image_uri" {
  description = "The exchange's image by digest; null until one has been pushed (no functions then)."
  type        = string
  default     = null
}

variable "handlers" {
  description = "Entry points of the functions in the image."
  type = object({
    sender      = string
    connections = string
  })
  default = {
    sender      = "services.notifier.aws_lambda.main.send"
    connections = "services.notifier.aws_lambda.main.connections"
  }
}

variable "sender_timeout_s" {
  description = "Seconds that a batch of notices may take; a message is hidden six times as long."
  type        = number
  default     = 30

  validation {
    condition     = var.sender_timeout_s >= 1 && var.sender_timeout_s <= 120
    error_message = "1 to 120 seconds."
  }
}

variable "mail" {
  description = "The address that mail to people comes from, and SES's identity of its domain; null for no mail."
  type        = object({ sender = string, identity_arn = string })
  default     = null
}

variable "jwt_issuers" {
  description = "Whose tokens open a notices connection: issuers, or issuer=address of its keys."
  type        = list(string)

  validation {
    condition     = length(var.jwt_issuers) > 0 && alltrue([for issuer in var.jwt_issuers : startswith(issuer, "https://")])
    error_message = "At least one, each an https URL."
  }
}

variable "jwt_audience" {
  description = "Ids of the clients that those tokens are made for."
  type        = list(string)

  validation {
    condition     = length(var.jwt_audience) > 0
    error_message = "Without an audience a token for anybody would be as good as one for us."
  }
}

variable "deletion_protection" {
  description = "Refuse deletion of the connections table."
  type        = bool
  default     = true
}
