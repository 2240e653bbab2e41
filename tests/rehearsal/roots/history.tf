# Tables of candles and trades, and the lake behind them: stream, delivery, catalogue, questions.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/history"
  description = "Rehearsal"
}

module "market_history" {
  source = "../modules/market_history"

  name        = "rehearsal"
  kms_key_arn = module.key.arn
}

module "lake" {
  source = "../modules/lake"

  name          = "rehearsal"
  bucket_prefix = "rehearsal-111122223333"
  kms_key_arn   = module.key.arn
  logs_key_arn  = module.key.arn
}
