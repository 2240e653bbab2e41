mock_provider "aws" {
  source = "../../testing"
}

variables {
  name         = "exchange-test"
  vpc_id       = "vpc-1"
  subnet_ids   = ["subnet-a", "subnet-b", "subnet-c"]
  clients      = { cluster = "sg-cluster" }
  kms_key_arn  = "arn:aws:kms:eu-central-1:111122223333:key/data"
  logs_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  user_id      = "exchange-test"
}

run "cluster_over_three_zones_with_tls_and_users" {
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "TLS is required."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "Our key at rest."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.cluster_mode == "enabled" && aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.replicas_per_node_group == 2
    error_message = "A copy in each of three zones."
  }

  assert {
    condition     = aws_elasticache_user.exchange.access_string == "off -@all" && aws_elasticache_user.exchange.passwords == null && aws_elasticache_user_group.this.user_ids == toset([var.user_id])
    error_message = "Nobody comes in before the first password, and Terraform knows none."
  }

  assert {
    condition     = one([for p in aws_elasticache_parameter_group.this.parameter : p.value if p.name == "maxmemory-policy"]) == "volatile-lru"
    error_message = "Keys without an expiry stay."
  }

  assert {
    condition     = output.node_ids == ["exchange-test-0001-001", "exchange-test-0001-002", "exchange-test-0001-003"]
    error_message = "A shard's first node and its replicas, as ElastiCache names them."
  }
}

run "refuses_to_evict_books" {
  command = plan

  variables {
    eviction = "allkeys-lru"
  }

  expect_failures = [var.eviction]
}
