# The zone, and the registry under a key of ours with copies in another region.
resource "aws_route53_zone" "this" {
  name = "example.com"
}

module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/images"
  description = "Rehearsal"
}

module "registry" {
  source = "../modules/registry"

  kms_key_arn     = module.key.arn
  replica_regions = ["eu-west-1"]
  force_destroy   = true
}
