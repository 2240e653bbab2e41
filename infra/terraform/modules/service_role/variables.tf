variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "IAM allows 64 characters."
  }
}

variable "description" {
  description = "Who assumes the role, and for what."
  type        = string
}

variable "service" {
  description = "The AWS service that assumes the role; `pods.eks.amazonaws.com` for a service account of the cluster."
  type        = string

  validation {
    condition     = endswith(var.service, ".amazonaws.com")
    error_message = "A service principal ends in .amazonaws.com."
  }
}

variable "trust_condition" {
  description = "Condition of the trust policy, e.g. { StringEquals = { \"aws:SourceAccount\" = \"…\" } }."
  type        = map(map(string))
  default     = {}
}

variable "statements" {
  description = "Statements of the role's own policy, in IAM's own notation."
  type        = any
  default     = []
}

variable "managed_policies" {
  description = "AWS managed policies to attach, by a name of ours."
  type        = map(string)
  default     = {}
}
