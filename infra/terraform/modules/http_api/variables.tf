variable "name" {
  description = "Name of the API."
  type        = string
}

variable "description" {
  description = "What it is for."
  type        = string
}

variable "web_host" {
  description = "Name of the terminal, whose pages may call."
  type        = string
}

variable "methods" {
  description = "Methods that its pages may use."
  type        = list(string)
}

variable "headers" {
  description = "Headers that its pages may send."
  type        = list(string)
}

variable "exposed_headers" {
  description = "Headers of answers that its pages may read."
  type        = list(string)
  default     = null
}

variable "jwt_issuer" {
  description = "Whose tokens are believed."
  type        = string
}

variable "jwt_audience" {
  description = "Clients whose tokens are believed."
  type        = list(string)
}

variable "routes" {
  description = "Each route by its key, e.g. \"GET /v1/me\": the integration that answers, whether it asks for a token, requests a second of its own."
  type        = map(object({ integration_id = string, signed_in = bool, rate = optional(number) }))
}

variable "rate" {
  description = "Requests a second of all routes without a rate of their own; twice as many at once."
  type        = number
}

variable "log_group_arn" {
  description = "Where each call is a line."
  type        = string
}
