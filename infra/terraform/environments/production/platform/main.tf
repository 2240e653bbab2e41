# The controllers on production's cluster: after the region's own apply, before the exchange's chart.
data "terraform_remote_state" "region" {
  backend = "s3"
  config  = { bucket = var.state.bucket, key = var.state.key, region = var.state.region }
}

locals {
  cluster = data.terraform_remote_state.region.outputs.platform
}

module "platform" {
  source = "../../../modules/platform"

  region              = local.cluster.region
  cluster_name        = local.cluster.cluster_name
  vpc_id              = local.cluster.vpc_id
  secrets_namespaces  = local.cluster.secrets_namespaces
  prometheus_endpoint = local.cluster.prometheus_endpoint
}
