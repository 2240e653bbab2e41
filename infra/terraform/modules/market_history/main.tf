locals {
  provisioned = var.capacity != null
  # A busy symbol's rows share a key, and one key takes 1,000 writes a second: the key therefore ends in a shard
  # number ("BTCUSDT#1m#3", "BTCUSDT#3"), which follows from the row's own number, so that what is written twice is
  # one row; readers merge. Candles also holds the markets and the writers' positions (services/market_history/rows.py).
  tables = {
    candles = { hash = "series", range = "open_time_ms" }
    trades  = { hash = "series", range = "trade_id" }
  }
}

resource "aws_dynamodb_table" "this" {
  for_each = local.tables

  name                        = "${var.name}-${each.key}"
  billing_mode                = local.provisioned ? "PROVISIONED" : "PAY_PER_REQUEST"
  read_capacity               = local.provisioned ? var.capacity.read_min : null
  write_capacity              = local.provisioned ? var.capacity.write_min : null
  hash_key                    = each.value.hash
  range_key                   = each.value.range
  table_class                 = "STANDARD"
  deletion_protection_enabled = var.deletion_protection

  # Global tables need the stream.
  stream_enabled   = length(var.replica_regions) > 0
  stream_view_type = length(var.replica_regions) > 0 ? "NEW_AND_OLD_IMAGES" : null

  attribute {
    name = each.value.hash
    type = "S"
  }

  attribute {
    name = each.value.range
    type = "N"
  }

  ttl {
    attribute_name = "expires_at_s"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "replica" {
    for_each = var.replica_regions

    content {
      region_name                 = replica.key
      kms_key_arn                 = replica.value
      point_in_time_recovery      = true
      deletion_protection_enabled = var.deletion_protection
    }
  }

  lifecycle {
    # With provisioned capacity the autoscaling below moves them.
    ignore_changes = [read_capacity, write_capacity]
  }
}

locals {
  scaled = !local.provisioned ? {} : merge([for name in keys(local.tables) : {
    "${name}-read"  = { table = name, dimension = "Read", min = var.capacity.read_min, max = var.capacity.read_max }
    "${name}-write" = { table = name, dimension = "Write", min = var.capacity.write_min, max = var.capacity.write_max }
  }]...)
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = "dynamodb"
  scalable_dimension = "dynamodb:table:${each.value.dimension}CapacityUnits"
  resource_id        = "table/${aws_dynamodb_table.this[each.value.table].name}"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.scaled

  name               = "${var.name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 70

    predefined_metric_specification {
      predefined_metric_type = "DynamoDB${each.value.dimension}CapacityUtilization"
    }
  }
}
