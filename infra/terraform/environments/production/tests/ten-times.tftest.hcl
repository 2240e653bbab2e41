# Run with ten-times.tfvars.
mock_provider "aws" {
  source = "../../testing"
}

variables {
  zone             = "example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "planned" {
  assert {
    condition     = length(var.size) > 10 && var.size.redis_shards == 3
    error_message = "The file is the one that is meant."
  }

  assert {
    condition     = yamldecode(output.helm_values).global.database.writerHost != ""
    error_message = "Everything fits together at ten times the size."
  }
}
