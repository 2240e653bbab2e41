# Names of our own, which the exchange's certificate covers (*.<api_host>): the accounts API and public market data.
locals {
  apis = {
    accounts    = { host = "accounts.${var.api_host}", id = module.accounts.id, stage = module.accounts.stage }
    market-data = { host = "data.${var.api_host}", id = aws_api_gateway_rest_api.market_data.id, stage = aws_api_gateway_stage.live.stage_name }
  }
}

module "public_name" {
  source   = "../public_name"
  for_each = local.apis

  host            = each.value.host
  certificate_arn = var.certificate_arn
  zone_id         = var.zone_id
  api_id          = each.value.id
  stage           = each.value.stage
  nearest         = { region = data.aws_region.this.region }
}

data "aws_region" "this" {}
