# Who signs in, and the mails that they get.
resource "aws_route53_zone" "this" {
  name = "example.com"
}

module "mail" {
  source = "../modules/mail"

  domain  = "trade.example.com"
  zone_id = aws_route53_zone.this.zone_id
}

module "identity" {
  source = "../modules/identity"

  name          = "rehearsal"
  web_host      = "trade.example.com"
  domain_prefix = "rehearsal"
}
