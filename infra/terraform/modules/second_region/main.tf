# What joins two regions and belongs to neither.

# One pair of addresses for the world, that does not change when a region is lost.
resource "aws_globalaccelerator_accelerator" "this" {
  count = length(var.load_balancers) == 0 ? 0 : 1

  name            = var.name
  ip_address_type = "IPV4"
  enabled         = true

  attributes {
    flow_logs_enabled   = var.flow_log_bucket != null
    flow_logs_s3_bucket = var.flow_log_bucket
    flow_logs_s3_prefix = var.flow_log_bucket == null ? null : "accelerator/"
  }
}

resource "aws_globalaccelerator_listener" "https" {
  count = length(aws_globalaccelerator_accelerator.this)

  accelerator_arn = aws_globalaccelerator_accelerator.this[0].arn
  protocol        = "TCP"
  # A stream comes back to the region that it began in.
  client_affinity = "SOURCE_IP"

  port_range {
    from_port = 443
    to_port   = 443
  }
}

resource "aws_globalaccelerator_endpoint_group" "region" {
  for_each = var.load_balancers

  listener_arn                  = aws_globalaccelerator_listener.https[0].arn
  endpoint_group_region         = each.key
  health_check_protocol         = "HTTPS"
  health_check_path             = "/readyz"
  health_check_port             = 443
  health_check_interval_seconds = 10
  threshold_count               = 3
  # Orders are decided where the engine leads: the other region gets traffic only when that one is gone.
  traffic_dial_percentage = each.key == var.leading_region ? 100 : var.standby_traffic_percent

  endpoint_configuration {
    endpoint_id                    = each.value
    weight                         = 100
    client_ip_preservation_enabled = true
  }
}

# Both logs, copied under their own names: the engine over there starts from the copy as it would from the original.
resource "aws_msk_replicator" "this" {
  count = var.kafka == null ? 0 : 1

  region                     = var.kafka.target.region
  replicator_name            = var.name
  description                = "Commands and events, to the region that stands by"
  service_execution_role_arn = module.replicator_role[0].arn

  dynamic "kafka_cluster" {
    for_each = [var.kafka.source, var.kafka.target]

    content {
      amazon_msk_cluster {
        msk_cluster_arn = kafka_cluster.value.arn
      }

      vpc_config {
        subnet_ids          = kafka_cluster.value.subnet_ids
        security_groups_ids = [kafka_cluster.value.security_group_id]
      }
    }
  }

  replication_info_list {
    source_kafka_cluster_arn = var.kafka.source.arn
    target_kafka_cluster_arn = var.kafka.target.arn
    target_compression_type  = "NONE"

    topic_replication {
      topics_to_replicate                  = ["exchange\\.commands\\..*", "exchange\\.events\\..*"]
      copy_topic_configurations            = true
      copy_access_control_lists_for_topics = true
      detect_and_copy_new_topics           = true

      topic_name_configuration {
        type = "IDENTICAL"
      }

      starting_position {
        type = "EARLIEST"
      }
    }

    # Nobody reads in a group: positions stand in PostgreSQL and in snapshots.
    consumer_group_replication {
      consumer_groups_to_replicate = ["none"]
    }
  }
}

module "replicator_role" {
  source = "../service_role"
  count  = var.kafka == null ? 0 : 1

  name            = "${var.name}-kafka-replicator"
  description     = "MSK Replicator, from the leading region's logs to the copy"
  service         = "kafka.amazonaws.com"
  trust_condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
  statements = [
    {
      Effect   = "Allow"
      Action   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster", "kafka-cluster:DescribeClusterDynamicConfiguration"]
      Resource = [var.kafka.source.arn, var.kafka.target.arn]
    },
    {
      Effect   = "Allow"
      Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:ReadData"]
      Resource = ["${replace(var.kafka.source.arn, ":cluster/", ":topic/")}/exchange.*"]
    },
    {
      Effect = "Allow"
      Action = [
        "kafka-cluster:AlterTopic", "kafka-cluster:AlterTopicDynamicConfiguration", "kafka-cluster:CreateTopic",
        "kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:WriteData",
        "kafka-cluster:WriteDataIdempotently",
      ]
      Resource = ["${replace(var.kafka.target.arn, ":cluster/", ":topic/")}/exchange.*", var.kafka.target.arn]
    },
    {
      Effect   = "Allow"
      Action   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
      Resource = [for cluster in [var.kafka.source, var.kafka.target] : "${replace(cluster.arn, ":cluster/", ":group/")}/*"]
    },
  ]
}

data "aws_caller_identity" "this" {}
