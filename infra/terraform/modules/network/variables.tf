variable "name" {
  description = "Prefix of every name, e.g. exchange-production."
  type        = string
}

variable "cidr" {
  description = "The VPC's network, a /16. Networks of regions that are to be peered must differ."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16")
    error_message = "An IPv4 network with a /16 mask."
  }
}

variable "nat_gateways" {
  description = "none (endpoints only), single (cheap, one zone's loss cuts all off) or per_zone."
  type        = string
  default     = "per_zone"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat_gateways)
    error_message = "none, single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services to reach by an interface endpoint. Each costs by the hour and zone."
  type        = set(string)
  default = [
    "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs", "secretsmanager", "sns", "sqs", "sts",
  ]
}

variable "logs_key_arn" {
  description = "Key that encrypts the flow logs."
  type        = string
}

variable "flow_log_traffic" {
  description = "Which flows are logged: REJECT is enough to see probing, ALL is for an investigation."
  type        = string
  default     = "REJECT"

  validation {
    condition     = contains(["ACCEPT", "REJECT", "ALL"], var.flow_log_traffic)
    error_message = "ACCEPT, REJECT or ALL."
  }
}

variable "flow_log_retention_days" {
  description = "Days for which flow logs are kept."
  type        = number
  default     = 90
}
