# Queues with their dead letters, the topic, and the table of browsers' connections; no functions yet, as in a first apply.
module "key" {
  source = "../modules/kms_key"

  name        = "rehearsal/notices"
  description = "Rehearsal"
  services    = { Notifications = { principal = "sns.amazonaws.com" } }
}

module "messaging" {
  source = "../modules/messaging"

  name            = "rehearsal"
  logs_key_arn    = module.key.arn
  data_key_arn    = module.key.arn
  secrets_key_arn = module.key.arn
  jwt_issuers     = ["https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_rehearsal"]
  jwt_audience    = ["web"]
}
