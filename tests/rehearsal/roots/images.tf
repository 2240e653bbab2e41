# What environments/global makes: the zone, the registry with copies elsewhere, and who builds images.
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
