variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "budgets" {
  description = "Monthly limits in US dollars by name, of all services or of those named (Cost Explorer's names)."
  type = map(object({
    limit_usd = number
    services  = optional(list(string))
  }))

  validation {
    condition     = alltrue([for budget in values(var.budgets) : budget.limit_usd > 0])
    error_message = "A limit is more than nothing."
  }
}

variable "emails" {
  description = "Who is told."
  type        = set(string)

  validation {
    condition     = length(var.emails) > 0
    error_message = "Somebody has to be told."
  }
}

variable "anomaly_monitor_arn" {
  description = "ARN of the monitor that AWS made when Cost Explorer was switched on (`aws ce get-anomaly-monitors`); null for no word about unusual costs."
  type        = string
  default     = null
}

variable "anomaly_usd" {
  description = "From which unexpected cost on somebody is told."
  type        = number
  default     = 50
}

variable "tags" {
  description = "Tags to tell costs apart by. AWS knows a tag only a day after its first use: leave empty at first."
  type        = set(string)
  default     = []
}
