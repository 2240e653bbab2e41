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

run "second_region_and_everything_on" {
  variables {
    region             = "eu-west-1"
    leads              = false
    cidr               = "10.21.0.0/16"
    second_region      = "eu-central-1"
    load_balancer_name = "exchange-production"
    switches = {
      api_gateway = true, lake = true, bot_control = true, shield_advanced = true
      tools       = { prometheus = true, grafana = true, log_search = true }
    }
  }

  assert {
    condition     = output.frontend == null && length(output.replica.bucket_arns) == 2
    error_message = "The other region stands by, with buckets to copy into."
  }
}

run "ten_times_the_load" {
  command = plan

  variables {
    size = {
      engine_instance_types = ["c8g.2xlarge"], stateless_nodes = { min = 9, max = 48 }
      kafka_instance_type   = "kafka.m7g.2xlarge", database_instance_class = "db.r8g.2xlarge", database_readers_max = 8
      redis_shards          = 3, history_capacity = { read_min = 200, read_max = 4000, write_min = 1000, write_max = 10000 }
    }
  }
}
