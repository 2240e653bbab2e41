mock_provider "aws" {
  source = "../../testing"
}

variables {
  zone             = "example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "planned_from_an_empty_account" {
  assert {
    condition     = yamldecode(output.helm_values).ingress.host == "api.example.com" && output.frontend != null
    error_message = "Production leads here."
  }
}

run "everything_on" {
  variables {
    load_balancer_name = "exchange-production"
    backup             = {}
    switches = {
      api_gateway = true, lake = true, bot_control = true, shield_advanced = true, own_disks_key = true
      tools       = { prometheus = true, grafana = true, log_search = true }
    }
  }

  assert {
    condition     = output.cluster_name == "exchange-production" && output.backup_vault != null
    error_message = "Every switch of production is planned."
  }
}

run "a_size_that_there_is_not_is_refused" {
  command = plan

  variables {
    size = { kafka_volume = 400 }
  }

  expect_failures = [var.size]
}
