variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "zone" {
  description = "The hosted zone, made by environments/global, e.g. example.com."
  type        = string
}

variable "image_repository" {
  description = "Address of the image's repository: output `repositories` of environments/global."
  type        = string
}

variable "image_digest" {
  description = "Digest of the image, sha256:…; null until one has been pushed."
  type        = string
  default     = null
}

variable "rotation_package" {
  description = "The zip of the rotation function in S3: bucket (in this region), key, version, and the hash of its bytes; null until it has been uploaded."
  type        = object({ bucket = string, key = string, version = optional(string), sha256_base64 = string })
  default     = null
}

variable "load_balancer_name" {
  description = "Name of the Ingress's load balancer; null before `helm install`."
  type        = string
  default     = null
}

variable "administrators" {
  description = "IAM roles that administer the cluster, by name."
  type        = map(string)
  default     = {}
}

variable "control_plane_cidrs" {
  description = "Networks that may reach Kubernetes from outside."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "Who gets alarms."
  type        = set(string)
  default     = []
}

variable "account_guards" {
  description = "Whether staging sets up CloudTrail, GuardDuty and Security Hub: yes in an account of its own, no beside production."
  type        = bool
  default     = false
}

variable "database_authority" {
  description = "The certificate (PEM) of RDS's authority `rds-ca-rsa2048-g1` in this region (docs/deploy.md); null for no function that makes statements."
  type        = string
  default     = null
}
