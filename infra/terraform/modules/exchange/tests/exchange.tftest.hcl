mock_provider "aws" {
  source = "../../testing"
}

variables {
  name             = "exchange-test"
  protected        = true
  zone             = "example.com"
  host             = "api.example.com"
  web_host         = "trade.example.com"
  image_repository = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/exchange"
}

run "first_apply" {
  assert {
    condition     = toset(keys(output.service_account_role_arns)) == toset(["order", "market-data", "user", "engine", "projections", "archive", "auditor", "market-history", "notifier", "rebuild", "jobs"])
    error_message = "A role for each service account of the chart."
  }

  assert {
    condition = alltrue([
      yamldecode(output.helm_values).global.kafka.bootstrap != "",
      yamldecode(output.helm_values).global.database.writerHost != "",
      yamldecode(output.helm_values).global.database.readerHost != "",
      yamldecode(output.helm_values).global.redis.secretName == "exchange-test/redis",
      yamldecode(output.helm_values).global.kmsKeyId != "",
      yamldecode(output.helm_values).ingress.certificateArn != "",
      yamldecode(output.helm_values).ingress.wafArn != "",
    ])
    error_message = "The chart learns where everything is."
  }

  assert {
    condition     = length(module.api_gateway) == 0 && length(module.lake) == 0
    error_message = "Switches are off."
  }

  assert {
    condition = {
      for account, statements in local.service_accounts : account => sort(distinct(flatten([
        for statement in statements : [
          for pair in setproduct(statement.Action, statement.Resource) : "${pair[0]} ${pair[1]}" if startswith(pair[0], "s3:")
        ]
      ]))) if anytrue(flatten([for statement in statements : [for action in statement.Action : startswith(action, "s3:")]]))
      } == {
      engine = sort([
        "s3:ListBucket ${module.storage.snapshots.arn}",
        "s3:DeleteObject ${module.storage.snapshots.arn}/*",
        "s3:GetObject ${module.storage.snapshots.arn}/*",
        "s3:PutObject ${module.storage.snapshots.arn}/*",
      ])
      archive = sort([
        "s3:ListBucket ${module.storage.archive.arn}",
        "s3:GetObject ${module.storage.archive.arn}/*",
        "s3:PutObject ${module.storage.archive.arn}/*",
      ])
      auditor = sort([
        "s3:ListBucket ${module.storage.snapshots.arn}",
        "s3:DeleteObject ${module.storage.snapshots.arn}/audit/*",
        "s3:GetObject ${module.storage.snapshots.arn}/audit/*",
        "s3:PutObject ${module.storage.snapshots.arn}/audit/*",
      ])
      rebuild = sort([
        "s3:ListBucket ${module.storage.archive.arn}",
        "s3:GetObject ${module.storage.archive.arn}/*",
        "s3:ListBucket ${module.storage.snapshots.arn}",
        "s3:DeleteObject ${module.storage.snapshots.arn}/*",
        "s3:GetObject ${module.storage.snapshots.arn}/*",
      ])
    }
    error_message = "Buckets: the engine keeps and prunes its snapshots, the auditor its checkpoints beside them, the archive puts and reads and never deletes, a rebuild reads both and drops snapshots, nobody else has any."
  }

  assert {
    condition     = module.storage.snapshots.arn != module.storage.archive.arn
    error_message = "The buckets can be told apart."
  }
}

run "values_of_another_region_are_refused_by_this_one_s_state" {
  command = plan

  override_data {
    target = data.aws_region.this
    values = { region = "eu-west-1", name = "eu-west-1" }
  }

  expect_failures = [terraform_data.region]
}

run "second_apply_with_every_switch" {
  variables {
    image_digest       = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    rotation_package   = { bucket = "artefacts", key = "rotation.zip", sha256_base64 = "MA==" }
    load_balancer_name = "exchange-test"
    api_gateway        = true
    lake               = true
    tools              = { prometheus = true, grafana = true, log_search = true }
    bot_control        = true
    database_authority = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    blocked_countries  = ["KP"]
    shield_advanced    = true
    second_pool_region = "eu-west-1"
    history_replicas   = { eu-west-1 = "arn:aws:kms:eu-west-1:111122223333:key/data" }
    alarm_emails       = ["ops@example.com"]
    own_disks_key      = true
    runtime_monitoring = true
    backup             = { copy_vault_arn = "arn:aws:backup:eu-west-1:111122223333:backup-vault:exchange-test" }
    administrators     = { platform = "arn:aws:iam::111122223333:role/platform" }
    storage_replica = {
      bucket_arns = { archive = "arn:aws:s3:::b-archive", snapshots = "arn:aws:s3:::b-snapshots" }
      kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/data"
    }
  }

  assert {
    condition     = length(module.api_gateway) == 1 && length(module.lake) == 1 && length(yamldecode(output.helm_values).global.identity.issuers) == 2 && length(yamldecode(output.helm_values).global.identity.audience) == 2
    error_message = "Every switch is planned."
  }

  assert {
    condition     = yamldecode(output.helm_values).global.image.digest == var.image_digest && yamldecode(output.helm_values).global.notices.connectionsEndpoint != null
    error_message = "The functions run the image."
  }

  assert {
    condition     = length(module.disks_key) == 1 && output.backup_vault != null
    error_message = "Disks under our key, copies in a vault."
  }

  assert {
    condition     = module.reads[0].hosts.nearest == "reads.api.example.com" && length(module.reads[0].functions) == 2
    error_message = "Statements and reads of the market have functions, under a name that leads to the nearest region."
  }
}

run "who_decides_writes_events_and_who_looks_cannot_write" {
  assert {
    condition = [
      for account, statements in local.service_accounts : account
      if anytrue([for statement in statements : contains(statement.Action, "kafka-cluster:WriteData") && contains(statement.Resource, local.topics["events"])])
    ] == ["engine", "rebuild"]
    error_message = "Only the engine decides; a rebuild writes what it decided."
  }

  assert {
    condition = [
      for account, statements in local.service_accounts : account
      if anytrue([for statement in statements : contains(statement.Action, "kafka-cluster:WriteData") && contains(statement.Resource, local.topics["commands"])])
    ] == ["engine", "order", "projections", "rebuild", "user"]
    error_message = "The public face and whoever only reads cannot command."
  }

  assert {
    condition     = yamldecode(output.helm_values).global.kafka.saslMechanism == "AWS_MSK_IAM" && !contains(keys(yamldecode(output.helm_values).global.kafka), "secretName")
    error_message = "Roles, and no password that a pod could keep too long."
  }
}

run "each_service_is_its_own_user_of_the_database" {
  assert {
    condition = {
      for account, statements in local.service_accounts : account => flatten([for statement in statements : statement.Resource if contains(statement.Action, "rds-db:connect")])
      } == {
      order          = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_order"]
      user           = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_user"]
      market-data    = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_market_data"]
      projections    = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_projections"]
      auditor        = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_auditor"]
      notifier       = ["arn:aws:rds-db:eu-central-1:111122223333:dbuser:cluster-MOCK/exchange_notifier"]
      engine         = []
      archive        = []
      market-history = []
      rebuild        = []
      jobs           = []
    }
    error_message = "A role opens the database as its own user alone, and none as the owner."
  }

  assert {
    condition     = yamldecode(output.helm_values).global.database.auth == "iam"
    error_message = "The chart is told so."
  }

  assert {
    condition     = alltrue(flatten([for account in ["jobs", "market-data", "projections"] : [for statement in local.service_accounts[account] : [for action in statement.Action : contains(["kafka-cluster", "rds-db"], split(":", action)[0])]]]))
    error_message = "Who only reads the logs and the database has nothing else of AWS."
  }

  assert {
    condition     = yamldecode(output.helm_values).ingress.accessLogsBucket == module.storage.access_logs.name
    error_message = "The load balancer's log has a place."
  }
}

run "who_comes_by_cloudfront_has_an_address_of_his_own" {
  override_data {
    target = data.aws_ec2_managed_prefix_list.cloudfront
    values = { entries = [{ cidr = "192.0.2.0/24", description = "" }, { cidr = "198.51.100.0/24", description = "" }] }
  }

  assert {
    condition     = length(setsubtract(["192.0.2.0/24", "198.51.100.0/24"], yamldecode(output.helm_values).ingress.forwarderCidrs)) == 0 && length(setintersection(yamldecode(output.helm_values).ingress.forwarderCidrs, yamldecode(output.helm_values).global.requestLimits.exemptCidrs)) == 0
    error_message = "CloudFront and API Gateway are believed about who called them, or all their callers share the limits on log-in tries; nobody who comes by them is exempt."
  }
}
