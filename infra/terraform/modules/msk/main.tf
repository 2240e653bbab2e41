module "security_group" {
  source = "../security_group"

  name            = "${var.name}-msk"
  description     = "Kafka brokers"
  vpc_id          = var.vpc_id
  ports           = { iam = 9098, jmx = 11001, node = 11002 }
  clients         = var.clients
  members_connect = true
  egress          = { vpc = { cidr = var.vpc_cidr } }
}

# What decides whether an acknowledged command can be lost stands here, on the brokers, where no client can leave it
# out. Time stamps (LogAppendTime) and retention are set topic by topic by services/topics, which makes the topics.
resource "aws_msk_configuration" "this" {
  name           = "${var.name}-${local.revision}"
  kafka_versions = [var.kafka_version]

  server_properties = join("\n", [for key in sort(keys(local.properties)) : "${key}=${local.properties[key]}"])

  lifecycle {
    create_before_destroy = true
  }
}

locals {
  properties = {
    "auto.create.topics.enable"  = "false"
    "default.replication.factor" = "3"
    # A rebuild that ended early begins anew: it takes away the half-filled topic (exchange/adapters/kafka/restore.py).
    # Who else may is decided by IAM: nobody (modules/exchange/permissions.tf).
    "delete.topic.enable"                      = "true"
    "min.insync.replicas"                      = "2"
    "offsets.topic.replication.factor"         = "3"
    "transaction.state.log.min.isr"            = "2"
    "transaction.state.log.replication.factor" = "3"
    "unclean.leader.election.enable"           = "false"
    "num.partitions"                           = "1"
    # IAM decides; were a broker ever asked by other means, nobody would be let in by silence.
    "allow.everyone.if.no.acl.found" = "false"
  }
  # A configuration cannot be renamed in place; a name that follows its content lets a new one stand beside the old.
  revision = substr(sha256(jsonencode(local.properties)), 0, 8)
}

resource "aws_msk_cluster" "this" {
  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = length(var.subnet_ids) * var.brokers_per_zone
  enhanced_monitoring    = "PER_TOPIC_PER_BROKER"

  broker_node_group_info {
    instance_type   = var.instance_type
    client_subnets  = var.subnet_ids
    security_groups = [module.security_group.id]

    connectivity_info {
      public_access {
        type = "DISABLED"
      }
    }

    storage_info {
      ebs_storage_info {
        volume_size = var.volume_gib
      }
    }
  }

  client_authentication {
    unauthenticated = false

    # Roles of service accounts, and nobody else: there is no password that could leak, or be rotated under a pod.
    sasl {
      iam = true
    }
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = var.kms_key_arn

    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  configuration_info {
    arn      = aws_msk_configuration.this.arn
    revision = aws_msk_configuration.this.latest_revision
  }

  open_monitoring {
    prometheus {
      jmx_exporter {
        enabled_in_broker = true
      }
      node_exporter {
        enabled_in_broker = true
      }
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.this.name
      }
    }
  }

  lifecycle {
    # Grown by the autoscaling below; Kafka's disks never shrink.
    ignore_changes = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]

    precondition {
      condition     = length(var.subnet_ids) == 3
      error_message = "min.insync.replicas = 2 survives a zone only with replicas in three."
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/vendedlogs/${var.name}/msk"
  retention_in_days = 90
  kms_key_id        = var.logs_key_arn
}

resource "aws_appautoscaling_target" "storage" {
  service_namespace  = "kafka"
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  resource_id        = aws_msk_cluster.this.arn
  min_capacity       = 1
  max_capacity       = var.volume_gib_max
}

resource "aws_appautoscaling_policy" "storage" {
  name               = "${var.name}-broker-storage"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.storage.service_namespace
  scalable_dimension = aws_appautoscaling_target.storage.scalable_dimension
  resource_id        = aws_appautoscaling_target.storage.resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 60
    # Disks grow only.
    disable_scale_in = true

    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}
