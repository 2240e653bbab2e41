variable "name" {
  description = "Name of the cluster."
  type        = string
}

variable "kubernetes_version" {
  description = "Version of Kubernetes."
  type        = string
  default     = "1.36"
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "disks_key_arn" {
  description = "Key of the nodes' disks, which lets in Auto Scaling's linked role; null for AWS' own (aws/ebs)."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Private subnets of nodes and pods, one a zone."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 3
    error_message = "Three zones."
  }
}

variable "service_cidr" {
  description = "Network of the cluster's services; outside the VPC's."
  type        = string
  default     = "172.20.0.0/16"
}

variable "public_access_cidrs" {
  description = "Networks that may reach the control plane from outside; empty for none (then by VPN or from inside the VPC)."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.public_access_cidrs, "0.0.0.0/0")
    error_message = "Never the whole internet."
  }
}

variable "administrators" {
  description = "IAM roles that administer the cluster, by name."
  type        = map(string)
  default     = {}
}

variable "kms_key_arn" {
  description = "Key that seals Kubernetes secrets."
  type        = string
}

variable "logs_key_arn" {
  description = "Key of the control plane's log group."
  type        = string
}

variable "secrets_key_arn" {
  description = "Key of the secrets that External Secrets reads."
  type        = string
}

variable "secret_arns" {
  description = "Secrets that External Secrets may copy into the cluster."
  type        = list(string)
  default     = []
}

variable "metrics_statements" {
  description = "What Prometheus in the cluster may do: write to the managed one, if there is one."
  type        = any
  default     = []
}

variable "telemetry_statements" {
  description = "What the collector of metrics and traces may do."
  type        = any
  default     = []
}

variable "namespace" {
  description = "Namespace of the exchange."
  type        = string
  default     = "exchange"
}

variable "service_accounts" {
  description = "IAM statements of each service account of the exchange, by its name."
  type        = any
  default     = {}
}

variable "engine_instance_types" {
  description = "Classes of the engine's pool: one alone, so that leader and standby are alike."
  type        = list(string)
  default     = ["c8g.xlarge"]
}

variable "engine_nodes" {
  description = "Smallest and largest size of the engine's pool; one node a zone at least."
  type        = object({ min = number, max = number })
  default     = { min = 3, max = 6 }

  validation {
    condition     = var.engine_nodes.min >= 2 && var.engine_nodes.max >= var.engine_nodes.min
    error_message = "Leader and standby need two nodes."
  }
}

variable "base_instance_types" {
  description = "Classes of the base pool: what keeps the cluster alive, and jobs."
  type        = list(string)
  default     = ["m8g.large", "m7g.large"]
}

variable "base_nodes" {
  description = "Smallest and largest size of the base pool; one node a zone."
  type        = object({ min = number, max = number })
  default     = { min = 3, max = 9 }

  validation {
    condition     = var.base_nodes.min >= 2
    error_message = "What keeps the cluster alive survives a node."
  }
}

variable "addon_versions" {
  description = "Version of each add-on, by its name; one that is not named is what AWS recommends for this version of Kubernetes."
  type        = map(string)
  default     = {}
}

variable "stateless_instance_types" {
  description = "Classes of the stateless pool: several, so that Spot finds one."
  type        = list(string)
  default     = ["c8g.large", "c7g.large", "m8g.large", "m7g.large", "c6g.large"]
}

variable "stateless_nodes" {
  description = "Smallest and largest size of the stateless pool."
  type        = object({ min = number, max = number })
  default     = { min = 3, max = 12 }
}

variable "stateless_on_spot" {
  description = "Whether the stateless pool runs on Spot."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Refuse deletion of the cluster."
  type        = bool
  default     = true
}
