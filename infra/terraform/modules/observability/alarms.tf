# Each metric here is one that the code emits; tests/infra/test_alarms.py holds them against the registry.
locals {
  namespace = "Exchange"

  defaults = {
    comparison = "GreaterThanThreshold", statistic = "Maximum", dimensions = {}
    period_s   = 60, periods = 3, missing = "notBreaching", runbook = null
  }

  alarms = { for name, alarm in {
    no-leader = {
      metric      = "exchange_engine_leading", comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      description = "No engine leads: nothing trades"
      runbook     = "EngineNotLeading"
    }
    invariant-broken = {
      metric      = "exchange_auditor_red", threshold = 0, periods = 1
      description = "The auditor has found a breach: money, order or history do not add up"
      runbook     = "AuditorRed"
    }
    auditor-behind = {
      metric      = "exchange_auditor_lag_seq", threshold = 100000, periods = 10
      description = "The auditor does not keep up with the events"
      runbook     = "AuditorRed"
    }
    withdrawals-stopped = {
      metric      = "exchange_withdrawals_stopped", threshold = 0, periods = 10
      description = "No money leaves because the auditor is away or behind, or found a fault"
      runbook     = "WithdrawalsStopped"
    }
    archive-behind = {
      metric      = "exchange_archive_lag_records", threshold = 100000, periods = 10
      description = "The archive does not keep up with the logs"
      runbook     = "ArchiveBehind"
    }
    log-retention-refuses = {
      metric      = "exchange_log_retention_refusals_total", statistic = "Sum", threshold = 0, periods = 60
      description = "A log cannot be shortened, because the archive does not prove that it may"
      runbook     = "RetentionRefuses"
    }
    disk-filling = {
      metric      = "exchange_disk_free_ratio", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 0.3, periods = 30
      description = "More than 70 % of the disk with a process's data folder is used"
      runbook     = "DiskFilling"
    }
    disk-nearly-full = {
      metric      = "exchange_disk_free_ratio", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 0.15, periods = 5
      description = "Less than 15 % of the disk with a process's data folder is free"
      runbook     = "DiskNearlyFull"
    }
    market-history-behind = {
      metric      = "exchange_market_history_lag_records", threshold = 100000, periods = 10
      description = "Candles and trades for history, or the lake, do not keep up with the events"
      runbook     = "MarketHistoryBehind"
    }
    snapshot-failures = {
      metric      = "exchange_engine_snapshot_failures_total", statistic = "Sum", threshold = 0, periods = 1
      description = "A snapshot was not stored: the next start takes longer"
      runbook     = "SnapshotTooOld"
    }
    ledger-behind = {
      metric      = "exchange_ledger_lag_seq", threshold = 10000
      description = "History and statements are behind the trades"
      runbook     = "LedgerBehind"
    }
    ledger-delay = {
      metric      = "exchange_ledger_delay_seconds", threshold = 10
      description = "An event waits more than ten seconds for the ledger"
      runbook     = "LedgerBehind"
    }
    ledger-failures = {
      metric      = "exchange_ledger_failures_total", statistic = "Sum", threshold = 5
      description = "The ledger fails and starts again"
      runbook     = "LedgerBehind"
    }
    book-failures = {
      metric      = "exchange_book_failures_total", statistic = "Sum", threshold = 20
      description = "The hot book cannot be written"
      runbook     = "BookBehind"
    }
    book-rebuilds = {
      metric      = "exchange_book_rebuilds_total", statistic = "Sum", threshold = 20, periods = 1
      description = "Hot books are written anew again and again: Redis loses them"
      runbook     = "BookBehind"
    }
    withdrawal-failures = {
      metric      = "exchange_withdrawals_failures_total", statistic = "Sum", threshold = 0, periods = 1
      description = "A withdrawal was not settled"
    }
    streams-cut = {
      metric      = "exchange_market_data_stream_clients_cut_total", statistic = "Sum", threshold = 100
      description = "Clients are cut off because they read too slowly, or we send too slowly"
      runbook     = "SocketsCut"
    }
  } : name => merge(local.defaults, alarm) }

  bands = {
    order-rate = {
      metric      = "exchange_engine_commands_total", stat = "Sum", dimensions = {}
      comparison  = "LessThanLowerOrGreaterThanUpperThreshold"
      description = "Unusually many or few commands"
    }
    order-latency = {
      metric      = "exchange_order_request_seconds", stat = "Average", dimensions = {}
      comparison  = "GreaterThanUpperThreshold"
      description = "Orders take unusually long"
    }
    cancels = {
      metric      = "exchange_order_request_seconds", stat = "SampleCount", dimensions = { endpoint = var.cancel_endpoint }
      comparison  = "GreaterThanUpperThreshold"
      description = "Unusually many cancellations: quote stuffing, or a client in a loop"
    }
  }

  # Of a market where prices moved most within a minute (services/market_data/markets/price_moves.py), and cancellations as
  # a part of all that is decided: many orders that mean nothing are a part of the whole, however busy the day.
  band_alarms = {
    for name, band in merge(local.bands, {
      price-move = {
        metric      = "exchange_market_data_price_move_ratio", stat = "Maximum", dimensions = {}
        comparison  = "GreaterThanUpperThreshold"
        description = "A price moves unusually far: a thin book, a wrong order, or news. An operator can halt a market (docs/operator.md)"
      }
    }) : name => band
  }

  server_alarms = merge(
    {
      msk-offline = {
        namespace   = "AWS/Kafka", metric = "OfflinePartitionsCount", dimensions = { "Cluster Name" = var.msk_name }
        statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 0, periods = 1
        description = "Partitions without a leader"
      }
      aurora-volume = {
        # Grows by itself up to 128 TiB, and no further: 70 % of that, in bytes.
        namespace   = "AWS/RDS", metric = "VolumeBytesUsed", dimensions = { DBClusterIdentifier = var.aurora_id }
        statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 98516241848729, periods = 1
        description = "The database's volume is 70 % of the largest that there is. See docs/runbooks/DiskFilling.md"
      }
      aurora-cpu = {
        namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = { DBClusterIdentifier = var.aurora_id, Role = "WRITER" }
        statistic   = "Average", comparison = "GreaterThanThreshold", threshold = 80, periods = 10
        description = "The ledger's writer is busy"
      }
      aurora-connections = {
        namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = { DBClusterIdentifier = var.aurora_id, Role = "WRITER" }
        statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = var.database_connections, periods = 5
        description = "The writer has many more connections than our pools hold together: who else is there?"
      }
      aurora-replica-lag = {
        namespace   = "AWS/RDS", metric = "AuroraReplicaLagMaximum", dimensions = { DBClusterIdentifier = var.aurora_id }
        statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 1000, periods = 5
        description = "Readers are more than a second behind"
      }
    },
    # Published by node and by nothing larger.
    { for node in var.redis_nodes : "redis-memory-${node}" => {
      namespace   = "AWS/ElastiCache", metric = "DatabaseMemoryUsageCountedForEvictPercentage", dimensions = { CacheClusterId = node }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 80, periods = 5
      description = "A node of Redis is nearly full"
    } },
    { for broker in range(1, var.msk_brokers + 1) : "msk-under-min-isr-${broker}" => {
      namespace   = "AWS/Kafka", metric = "UnderMinIsrPartitionCount", dimensions = { "Cluster Name" = var.msk_name, "Broker ID" = tostring(broker) }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 0, periods = 2
      description = "Partitions below min.insync.replicas: commands are refused"
    } },
    { for function in var.functions : "function-errors-${function}" => {
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = function }
      statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 0, periods = 3
      description = "A function fails again and again; of the rotation's, no password was changed"
    } },
    { for pair in setproduct(var.tables, ["Read", "Write"]) : "table-throttled-${pair[0]}-${lower(pair[1])}" => {
      namespace   = "AWS/DynamoDB", metric = "${pair[1]}ThrottleEvents", dimensions = { TableName = pair[0] }
      statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 10, periods = 5
      description = "A table takes less than is asked of it"
    } },
    { for stream in var.streams : "stream-late-${stream}" => {
      namespace   = "AWS/Kinesis", metric = "GetRecords.IteratorAgeMilliseconds", dimensions = { StreamName = stream }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 3600000, periods = 5
      description = "The lake reads an hour behind: the stream forgets after two days"
    } },
    { for stream in var.streams : "lake-stale-${stream}" => {
      namespace   = "AWS/Firehose", metric = "DeliveryToS3.DataFreshness", dimensions = { DeliveryStreamName = stream }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 3600, periods = 3
      description = "Nothing younger than an hour is in the lake"
    } },
    { for name, certificate in var.certificates : "certificate-ends-${name}" => {
      namespace   = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = certificate }
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 30, periods = 1, period_s = 86400
      description = "A certificate was not renewed: is its validation record there?"
    } },
    { for name, pair in var.replicated_buckets : "replication-fails-${name}" => {
      namespace   = "AWS/S3", metric = "OperationsFailedReplication", dimensions = { SourceBucket = pair.source, DestinationBucket = pair.destination, RuleId = "second-region" }
      statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 0, periods = 1, period_s = 300
      description = "Objects of the archive do not reach the second region: what they hold would be lost with this one"
    } },
    var.load_balancer == null ? {} : {
      load-balancer-errors = {
        namespace   = "AWS/ApplicationELB", metric = "HTTPCode_ELB_5XX_Count", dimensions = { LoadBalancer = var.load_balancer }
        statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 20, periods = 3
        description = "The load balancer answers itself, because nobody behind it does"
      }
      target-errors = {
        namespace   = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", dimensions = { LoadBalancer = var.load_balancer }
        statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 100, periods = 5
        description = "The services answer with errors of their own"
      }
    },
    # In percent, of each broker's own disk. It grows by itself up to volume_gib_max, once in six hours at most.
    { for broker in range(1, var.msk_brokers + 1) : "msk-disk-filling-${broker}" => {
      namespace   = "AWS/Kafka", metric = "KafkaDataLogsDiskUsed", dimensions = { "Cluster Name" = var.msk_name, "Broker ID" = tostring(broker) }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 70, periods = 30
      description = "More than 70 % of a broker's disk is used. See docs/runbooks/DiskFilling.md"
    } },
    { for broker in range(1, var.msk_brokers + 1) : "msk-disk-nearly-full-${broker}" => {
      namespace   = "AWS/Kafka", metric = "KafkaDataLogsDiskUsed", dimensions = { "Cluster Name" = var.msk_name, "Broker ID" = tostring(broker) }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 85, periods = 5
      description = "Less than 15 % of a broker's disk is free. See docs/runbooks/DiskNearlyFull.md"
    } },
    { for name, queue in var.dead_letter_queues : "dead-letters-${name}" => {
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = queue }
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 0, periods = 1
      description = "Somebody has to look at a message that failed too often"
    } },
  )
}
