# Ten times the default load: 5,000 requests a second. `terraform apply -var-file=ten-times.tfvars`.
# The engine's own pool hardly grows: one shard is one thread. What grows is what stands around it.
size = {
  engine_instance_types   = ["c8g.2xlarge"]
  engine_nodes            = { min = 3, max = 6 }
  stateless_nodes         = { min = 9, max = 48 }
  kafka_instance_type     = "kafka.m7g.2xlarge"
  kafka_volume_gib        = 4000
  database_instance_class = "db.r8g.2xlarge"
  database_readers        = 2
  database_readers_max    = 8
  database_io_optimized   = true
  redis_node_type         = "cache.r7g.xlarge"
  redis_shards            = 3
  history_capacity        = { read_min = 200, read_max = 4000, write_min = 1000, write_max = 10000 }
  lake_shards             = 8
  request_limit           = 60000
}
