variable "region" {
  description = "Region of the cluster."
  type        = string
}

variable "cluster_name" {
  description = "Name of the cluster."
  type        = string
}

variable "vpc_id" {
  description = "Its VPC, which the load balancer controller cannot find out by itself."
  type        = string
}

variable "secrets_namespaces" {
  description = "Namespaces that may have secrets copied into them."
  type        = list(string)
  default     = ["exchange"]

  validation {
    condition     = length(var.secrets_namespaces) > 0
    error_message = "An empty list would let every namespace read every secret."
  }
}

variable "prometheus_endpoint" {
  description = "Endpoint of Managed Prometheus, ending in a slash; null without."
  type        = string
  default     = null
}

variable "timeout_s" {
  description = "Seconds that each chart may take until all its pods are ready."
  type        = number
  default     = 600
}

# Releases that were read (values, rights, custom resources), not the newest. Before a change: the chart's own notes, then
# staging.
variable "versions" {
  description = "Version of each chart."
  type = object({
    load_balancers = optional(string, "3.5.0")
    secrets        = optional(string, "2.0.0")
    autoscaler     = optional(string, "9.59.1")
    metrics        = optional(string, "67.8.0")
    adapter        = optional(string, "5.2.0")
  })
  default = {}

  validation {
    condition     = alltrue([for version in values(var.versions) : can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", version))])
    error_message = "One version, not a range: what was tried is what is installed."
  }
}
