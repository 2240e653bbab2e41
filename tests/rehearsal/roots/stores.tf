# Kafka, PostgreSQL and Redis, in a network of their own.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/stores"
  description = "Rehearsal"
}

module "network" {
  source = "../modules/network"

  name         = "rehearsal"
  cidr         = "10.20.0.0/16"
  nat_gateways = "none"
  logs_key_arn = module.key.arn
}

module "msk" {
  source = "../modules/msk"

  name         = "rehearsal"
  vpc_id       = module.network.vpc_id
  vpc_cidr     = module.network.cidr
  subnet_ids   = module.network.intra_subnet_ids
  kms_key_arn  = module.key.arn
  logs_key_arn = module.key.arn
}
