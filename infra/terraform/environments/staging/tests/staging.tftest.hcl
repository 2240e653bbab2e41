mock_provider "aws" {
  source = "../../testing"
}

variables {
  zone             = "example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "planned_from_an_empty_account" {
  assert {
    condition     = yamldecode(output.helm_values).ingress.host == "api.staging.example.com"
    error_message = "Staging has names of its own."
  }

  assert {
    condition     = yamldecode(output.helm_values).global.environment == "exchange-staging"
    error_message = "And a prefix of its own."
  }
}

run "with_its_image" {
  variables {
    image_digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = yamldecode(output.helm_values).global.image.digest == var.image_digest
    error_message = "The chart runs the image that was pushed."
  }
}
