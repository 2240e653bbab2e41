# What each service account may do in AWS: the whole list, in one place. Kafka and PostgreSQL know these roles too: who
# may write to which log stands here, and who is which user of the database. Redis alone has a password.
locals {
  # arn:aws:kafka:region:account:cluster/name/id names its topics by ...:topic/name/id/topic.
  topics = { for log in ["commands", "events"] : log => "${replace(module.msk.arn, ":cluster/", ":topic/")}/exchange.${log}.*" }

  kafka_login   = { Effect = "Allow", Action = ["kafka-cluster:Connect"], Resource = [module.msk.arn] }
  kafka_writes  = { Effect = "Allow", Action = ["kafka-cluster:WriteDataIdempotently"], Resource = [module.msk.arn] }
  read_commands = { Effect = "Allow", Action = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"], Resource = [local.topics["commands"]] }
  read_events   = { Effect = "Allow", Action = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"], Resource = [local.topics["events"]] }
  put_commands  = { Effect = "Allow", Action = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], Resource = [local.topics["commands"]] }
  put_events    = { Effect = "Allow", Action = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], Resource = [local.topics["events"]] }
  shorten_logs  = { Effect = "Allow", Action = ["kafka-cluster:DeleteTopic", "kafka-cluster:DescribeTopicDynamicConfiguration"], Resource = values(local.topics) }
  make_topics = { Effect = "Allow", Action = [
    "kafka-cluster:AlterTopicDynamicConfiguration", "kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopic",
    "kafka-cluster:DescribeTopicDynamicConfiguration",
  ], Resource = values(local.topics) }

  # Only the engine decides, so it alone writes events; what others want is a command. Who only looks cannot write.
  logs = {
    order          = [local.kafka_login, local.kafka_writes, local.put_commands, local.read_events, local.read_commands]
    user           = [local.kafka_login, local.kafka_writes, local.put_commands, local.read_events, local.read_commands]
    engine         = [local.kafka_login, local.kafka_writes, local.read_commands, local.put_commands, local.read_events, local.put_events]
    projections    = [local.kafka_login, local.kafka_writes, local.put_commands, local.read_events, local.read_commands]
    market-data    = [local.kafka_login, local.read_events]
    market-history = [local.kafka_login, local.read_events]
    notifier       = [local.kafka_login, local.read_events]
    auditor        = [local.kafka_login, local.read_commands, local.read_events]
    # Cuts off what the archive proves to hold (ADR 0020): Kafka asks for the right to delete.
    archive = [local.kafka_login, local.read_commands, local.read_events, local.shorten_logs]
    jobs    = [local.kafka_login, local.make_topics]
    rebuild = [
      local.kafka_login, local.kafka_writes, local.read_commands, local.read_events, local.put_commands, local.put_events,
      local.shorten_logs, local.make_topics,
    ]
  }

  # Who is which user of the database: each logs in as itself and as nobody else. What each user may do there is in
  # services/migrations/rights.py. Jobs and the rebuild are its owner, with Aurora's own password.
  database_users = toset(["order", "user", "market-data", "projections", "auditor", "notifier"])
  database_user  = { for account in concat(tolist(local.database_users), ["statements"]) : account => "arn:aws:rds-db:${local.region}:${local.account}:dbuser:${module.aurora.resource_id}/exchange_${replace(account, "-", "_")}" }
  database_login = { for account in keys(local.services) : account => [for user in [account] : { Effect = "Allow", Action = ["rds-db:connect"], Resource = [local.database_user[user]] } if contains(local.database_users, user)] }

  service_accounts = { for account, statements in local.services : account => concat(local.logs[account], local.database_login[account], statements) }

  data_key = { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [local.keys["data"]] }
  logs_key = { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [local.keys["logs"]] }

  services = {
    # Checks signatures: opens the secrets of API keys. The user service also seals new ones.
    order = [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = [local.keys["application"]] }]
    user  = [{ Effect = "Allow", Action = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], Resource = [local.keys["application"]] }]
    # The public face: reads the event log and the database, and nothing of AWS beside them.
    market-data = []
    # Keeps three snapshots and removes older ones (matching_engine/snapshots.py); the bucket keeps what was removed
    # for some days more.
    engine = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.storage.snapshots.arn] },
      { Effect = "Allow", Action = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], Resource = ["${module.storage.snapshots.arn}/*"] },
      local.data_key,
    ]
    projections = []
    # Never deletes: rows go by their TTL.
    market-history = concat(
      [
        { Effect = "Allow", Action = ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"], Resource = values(module.market_history.arns) },
        local.data_key,
      ],
      [for lake in module.lake : { Effect = "Allow", Action = ["kinesis:PutRecords"], Resource = [lake.stream.arn] }],
    )
    # Writes once and reads back; the bucket's lock keeps even this account from changing what it wrote.
    archive = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.storage.archive.arn] },
      { Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["${module.storage.archive.arn}/*"] },
      local.data_key,
    ]
    # Makes a stopped exchange anew (services/rebuild): reads the archive, and drops snapshots that are ahead of it.
    rebuild = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.storage.archive.arn, module.storage.snapshots.arn] },
      { Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${module.storage.archive.arn}/*", "${module.storage.snapshots.arn}/*"] },
      { Effect = "Allow", Action = ["s3:DeleteObject"], Resource = ["${module.storage.snapshots.arn}/*"] },
      local.data_key,
    ]
    # Reads the event log, the ledger and the hot books. Keeps two checkpoints beside the engine's snapshots, and can
    # read and change nothing else there.
    auditor = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.storage.snapshots.arn] },
      { Effect = "Allow", Action = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], Resource = ["${module.storage.snapshots.arn}/audit/*"] },
      local.data_key,
    ]
    notifier = concat(
      [
        { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [module.messaging.queues["notices"].arn] },
        { Effect = "Allow", Action = ["sns:Publish"], Resource = [module.messaging.notices_topic_arn] },
        {
          Effect   = "Allow"
          Action   = ["dynamodb:DeleteItem", "dynamodb:Query"]
          Resource = [module.messaging.connections_table.arn, "${module.messaging.connections_table.arn}/index/by_owner"]
        },
        local.data_key,
        local.logs_key,
      ],
      local.image_uri == null ? [] : [{ Effect = "Allow", Action = ["execute-api:ManageConnections"], Resource = [module.messaging.websocket.arn] }],
    )
    # Migrations and topics.
    jobs = []
  }
}
