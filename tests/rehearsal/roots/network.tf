# The VPC over three zones with its ways out, endpoints and flow log, and groups that name each other.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/logs"
  description = "Rehearsal"
}

module "network" {
  source = "../modules/network"

  name         = "rehearsal"
  cidr         = "10.20.0.0/16"
  nat_gateways = "per_zone"
  logs_key_arn = module.key.arn
}

module "clients" {
  source = "../modules/security_group"

  name        = "rehearsal-clients"
  description = "Rehearsal"
  vpc_id      = module.network.vpc_id
  egress      = { database = { cidr = module.network.cidr, port = 5432 } }
}

module "database" {
  source = "../modules/security_group"

  name        = "rehearsal-database"
  description = "Rehearsal"
  vpc_id      = module.network.vpc_id
  ports       = { postgresql = 5432 }
  clients     = { clients = module.clients.id }
}
