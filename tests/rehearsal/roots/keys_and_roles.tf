# A key that services and a linked role use, its alias, and roles with what they may do.
module "key" {
  source = "../modules/kms_key"

  name         = "rehearsal/data"
  description  = "Rehearsal"
  multi_region = true
  services     = { Notifications = { principal = "sns.amazonaws.com" } }
}

module "role" {
  source = "../modules/service_role"

  name             = "rehearsal-order"
  description      = "Rehearsal"
  service          = "pods.eks.amazonaws.com"
  statements       = [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = [module.key.arn] }]
  managed_policies = { read = "arn:aws:iam::aws:policy/ReadOnlyAccess" }
}
