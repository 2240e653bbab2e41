data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  account  = data.aws_caller_identity.this.account_id
  region   = data.aws_region.this.region
  arn_base = "arn:${data.aws_partition.this.partition}"

  # A key for each kind of reader, so that who may read logs cannot read the ledger.
  keys = {
    data = {
      description = "Ledger, logs of commands and events, cache, archive"
      services    = {}
    }
    secrets = {
      description = "Credentials in Secrets Manager"
      services    = {}
    }
    # Not used by any AWS service: the exchange itself seals the secrets of API keys with it.
    application = {
      description = "Envelope key of API secrets"
      services    = {}
    }
    logs = {
      description = "Log groups, notifications and queues"
      services = {
        CloudWatchLogs = {
          principal   = "logs.${local.region}.amazonaws.com"
          source_arn  = "${local.arn_base}:logs:${local.region}:${local.account}:log-group:*"
          context_key = "kms:EncryptionContext:aws:logs:arn"
        }
        Alarms = { principal = "cloudwatch.amazonaws.com" }
        # Of load balancer, distribution and WAF, and of S3's events.
        LogDelivery   = { principal = "delivery.logs.amazonaws.com" }
        Notifications = { principal = "sns.amazonaws.com" }
        Budgets       = { principal = "budgets.amazonaws.com" }
      }
    }
    audit = {
      description = "CloudTrail"
      services = {
        CloudTrail = {
          principal  = "cloudtrail.amazonaws.com"
          source_arn = local.trail_arn
        }
      }
    }
  }

  trail_arn = "${local.arn_base}:cloudtrail:${local.region}:${local.account}:trail/${var.name}"
}

module "key" {
  source   = "../kms_key"
  for_each = local.keys

  name        = "${var.name}/${each.key}"
  description = each.value.description
  services    = each.value.services
  # From the first day on: a key cannot become one that is copied, and with another key all that this one sealed is lost.
  multi_region = contains(["data", "application"], each.key)
  replica_of   = each.key == "application" ? var.application_key_replica_of : null
}
