# Mail that people take for ours: signed by keys in our zone, sent by SES. A new account of SES sends to addresses that
# it has verified alone; production access is asked for once (docs/deploy.md).
resource "aws_sesv2_email_identity" "this" {
  email_identity = var.domain

  dkim_signing_attributes {
    next_signing_key_length = "RSA_2048_BIT"
  }
}

# SES draws three keys, whose names are known only then; that there are three is known before.
resource "aws_route53_record" "keys" {
  for_each = toset(["0", "1", "2"])

  zone_id = var.zone_id
  name    = "${aws_sesv2_email_identity.this.dkim_signing_attributes[0].tokens[tonumber(each.key)]}._domainkey.${var.domain}"
  type    = "CNAME"
  records = ["${aws_sesv2_email_identity.this.dkim_signing_attributes[0].tokens[tonumber(each.key)]}.dkim.amazonses.com"]
  ttl     = 1800
}

# What others should do with mail in our name that is not signed: keep it from people, and tell us nothing.
resource "aws_route53_record" "policy" {
  count = var.policy ? 1 : 0

  zone_id = var.zone_id
  name    = "_dmarc.${var.domain}"
  type    = "TXT"
  records = ["v=DMARC1; p=quarantine; adkim=s"]
  ttl     = 1800
}
