variable "state" {
  description = "Where the region's own state is: bucket, key, region, as in its backend.hcl."
  type        = object({ bucket = string, key = optional(string, "staging.tfstate"), region = string })
}
