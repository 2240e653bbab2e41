variable "name" {
  description = "Name of the group."
  type        = string
}

variable "description" {
  description = "What the group is around."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9. _:/()#,@+=&;{}!$*-]{1,255}$", var.description))
    error_message = "EC2 takes letters, digits, spaces and ._-:/()#,@+=&;{}!$* (no apostrophe)."
  }
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "ports" {
  description = "TCP ports that clients may reach, by name."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for port in values(var.ports) : port > 0 && port < 65536])
    error_message = "A port is 1 to 65535."
  }
}

variable "clients" {
  description = "Security groups whose members may connect, by name."
  type        = map(string)
  default     = {}
}

variable "members_connect" {
  description = "Whether members may connect to each other."
  type        = bool
  default     = false
}

variable "egress" {
  description = "What members may reach, by name: a group or a network, all ports unless one is given. None by default."
  type = map(object({
    group = optional(string)
    cidr  = optional(string)
    port  = optional(number)
  }))
  default = {}
}
