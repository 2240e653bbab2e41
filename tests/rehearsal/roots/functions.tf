# A function of the image, with its role and its log.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/functions"
  description = "Rehearsal"
}

module "function" {
  source = "../modules/lambda_image"

  name            = "rehearsal-reads"
  description     = "Rehearsal"
  image_uri       = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/exchange@sha256:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
  handler         = "services.market_history.aws_lambda.main.read"
  statements      = []
  logs_key_arn    = module.key.arn
  secrets_key_arn = module.key.arn
}
