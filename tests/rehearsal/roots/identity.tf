# Who signs in.
module "identity" {
  source = "../modules/identity"

  name          = "rehearsal"
  web_host      = "trade.example.com"
  domain_prefix = "rehearsal"
}
