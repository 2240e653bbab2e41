# What each service account may do in AWS: the whole list, in one place. Kafka, PostgreSQL and Redis let pods in by
# credentials of their own, so most accounts need no more than the envelope key, or nothing at all.
locals {
  data_key = { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [local.keys["data"]] }
  logs_key = { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [local.keys["logs"]] }

  service_accounts = {
    # Checks signatures: opens the secrets of API keys. The user service also seals new ones.
    order = [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = [local.keys["application"]] }]
    user = [
      { Effect = "Allow", Action = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"], Resource = [local.keys["application"]] },
      { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [module.messaging.queues["withdrawals"].arn] },
      local.logs_key,
    ]
    market-data = [
      { Effect = "Allow", Action = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"], Resource = values(module.market_history.arns) },
      local.data_key,
    ]
    # Keeps three snapshots and removes older ones (matching_engine/snapshots.py); the bucket keeps what was removed
    # for some days more.
    engine = [
      { Effect = "Allow", Action = ["s3:ListBucket"], Resource = [module.storage.snapshots.arn] },
      { Effect = "Allow", Action = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], Resource = ["${module.storage.snapshots.arn}/*"] },
      local.data_key,
    ]
    projections = [
      {
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = [module.messaging.queues["withdrawals"].arn]
      },
      local.data_key,
      local.logs_key,
    ]
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
    # Migrations and topics: nothing of AWS but their pods' identity.
    jobs = []
  }
}
