data "aws_region" "this" {}

locals {
  # A pool belongs to one region. With a second one there are two, and the exchange believes the tokens of both.
  regions = toset(compact([data.aws_region.this.region, var.second_region]))
  groups = {
    traders   = { precedence = 30, description = "Trade and withdraw their own money" }
    operators = { precedence = 10, description = "Halt and open markets, approve withdrawals" }
    auditors  = { precedence = 20, description = "Read everything, change nothing" }
  }
  groups_of_region = merge([for region in local.regions : {
    for name, group in local.groups : "${region}/${name}" => merge(group, { region = region, name = name })
  }]...)
}

resource "aws_cognito_user_pool" "this" {
  for_each = local.regions

  region                   = each.key
  name                     = var.name
  username_attributes      = ["email"]
  auto_verified_attributes = ["email"]
  mfa_configuration        = var.mfa
  deletion_protection      = var.deletion_protection ? "ACTIVE" : "INACTIVE"
  user_pool_tier           = "PLUS"

  # Cognito's own mailer sends some fifty a day. By SES it sends as many as the account may.
  dynamic "email_configuration" {
    for_each = var.email == null ? [] : [var.email]

    content {
      email_sending_account = "DEVELOPER"
      source_arn            = email_configuration.value.identity_arn
      from_email_address    = email_configuration.value.from
    }
  }

  username_configuration {
    case_sensitive = false
  }

  password_policy {
    minimum_length                   = 12
    password_history_size            = 5
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = false
    require_uppercase                = true
    temporary_password_validity_days = 1
  }

  # Codes from an app. SMS can be taken over with a phone number, so it is no second factor here.
  software_token_mfa_configuration {
    enabled = true
  }

  account_recovery_setting {
    recovery_mechanism {
      name     = "verified_email"
      priority = 1
    }
  }

  # A new address counts only when its owner has answered from it.
  user_attribute_update_settings {
    attributes_require_verification_before_update = ["email"]
  }

  # Blocks passwords known from leaks and sign-ins that look stolen.
  user_pool_add_ons {
    advanced_security_mode = "ENFORCED"
  }

  device_configuration {
    challenge_required_on_new_device      = true
    device_only_remembered_on_user_prompt = true
  }
}

resource "aws_cognito_user_group" "this" {
  for_each = local.groups_of_region

  region       = each.value.region
  user_pool_id = aws_cognito_user_pool.this[each.value.region].id
  name         = each.value.name
  description  = each.value.description
  precedence   = each.value.precedence
}

resource "aws_cognito_user_pool_client" "web" {
  for_each = local.regions

  region                        = each.key
  user_pool_id                  = aws_cognito_user_pool.this[each.key].id
  name                          = "web"
  generate_secret               = false
  explicit_auth_flows           = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
  prevent_user_existence_errors = "ENABLED"
  enable_token_revocation       = true

  supported_identity_providers         = ["COGNITO"]
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_scopes                 = ["email", "openid"]
  callback_urls                        = ["https://${var.web_host}/signed-in"]
  logout_urls                          = ["https://${var.web_host}/"]

  access_token_validity  = 15
  id_token_validity      = 15
  refresh_token_validity = 12

  token_validity_units {
    access_token  = "minutes"
    id_token      = "minutes"
    refresh_token = "hours"
  }
}

resource "aws_cognito_user_pool_domain" "this" {
  for_each = local.regions

  region       = each.key
  user_pool_id = aws_cognito_user_pool.this[each.key].id
  domain       = "${var.domain_prefix}-${each.key}"
}
