mock_provider "aws" {
  source = "../../testing"
}

variables {
  name          = "exchange-test"
  web_host      = "trade.example.com"
  domain_prefix = "exchange-test"
}

run "second_factor_and_groups" {
  assert {
    condition     = alltrue([for p in aws_cognito_user_pool.this : p.mfa_configuration == "ON" && p.software_token_mfa_configuration[0].enabled && p.deletion_protection == "ACTIVE" && p.password_policy[0].minimum_length >= 12])
    error_message = "A second factor for everybody."
  }

  assert {
    condition     = toset([for g in aws_cognito_user_group.this : g.name]) == toset(["traders", "operators", "auditors"])
    error_message = "Three groups."
  }

  assert {
    condition     = alltrue([for c in aws_cognito_user_pool_client.web : !c.generate_secret && c.enable_token_revocation && c.allowed_oauth_flows == toset(["code"])])
    error_message = "A browser keeps no secret; tokens can be revoked."
  }
}

run "second_region_by_switch" {
  variables {
    second_region = "eu-west-1"
  }

  assert {
    condition     = toset(keys(aws_cognito_user_pool.this)) == toset(["eu-central-1", "eu-west-1"]) && length(output.issuers) == 2 && length(output.client_ids) == 2
    error_message = "Two pools, two issuers, two clients."
  }
}
