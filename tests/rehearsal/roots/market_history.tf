# Tables of candles and trades under a key of ours, and how they grow when somebody pays by the hour.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/history"
  description = "Rehearsal"
}

module "market_history" {
  source = "../modules/market_history"

  name                = "rehearsal"
  kms_key_arn         = module.key.arn
  deletion_protection = false
}
