variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "repository" {
  description = "Where the code is: its address, its kind for CodeBuild, the branch that counts, and the connection (`aws codeconnections create-connection`, accepted once in the console)."
  type = object({
    url            = string
    connection_arn = string
    type           = optional(string, "GITHUB")
    branch         = optional(string, "main")
  })

  validation {
    condition     = contains(["BITBUCKET", "GITHUB", "GITHUB_ENTERPRISE", "GITLAB", "GITLAB_SELF_MANAGED"], var.repository.type)
    error_message = "A kind of source that CodeBuild reads by a connection."
  }
}

variable "repository_url" {
  description = "The image repository's address."
  type        = string
}

variable "repository_arn" {
  description = "The image repository's ARN."
  type        = string
}

variable "state" {
  description = "The bucket of the states, and of the values below values/, and its region."
  type        = object({ bucket = string, region = string })
}

variable "environments" {
  description = "Folders below infra/terraform/environments that are compared every night. Not the platform layers: they need a way into the cluster."
  type        = list(string)
  default     = ["global", "production"]
}

variable "builder_image" {
  description = "Where the image is built: one of CodeBuild's own, with docker."
  type        = string
  default     = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
}

variable "terraform_image" {
  description = "Where the nightly comparison runs: the version of Terraform that applies. By digest (name@sha256:...) once it is known."
  type        = string
  default     = "hashicorp/terraform:1.11.4"
}

variable "tools_image" {
  description = "An image with cosign, by digest; null for no signatures."
  type        = string
  default     = null

  validation {
    condition     = var.tools_image == null || can(regex("@sha256:[0-9a-f]{64}$", var.tools_image))
    error_message = "What signs is named by digest: it could sign anything."
  }
}

variable "emails" {
  description = "Who is told of a build that failed, or of a difference."
  type        = set(string)
}
