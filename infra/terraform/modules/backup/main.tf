# Copies beside what Aurora and DynamoDB keep of themselves: in a vault that outlives the cluster, and from which nobody
# takes anything away before its time. By switch: a rebuild from the archive needs none of it (ADR 0010).
data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

resource "aws_backup_vault" "this" {
  name          = var.name
  kms_key_arn   = var.kms_key_arn
  force_destroy = var.force_destroy
}

resource "aws_backup_vault_lock_configuration" "this" {
  count = var.locked ? 1 : 0

  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = var.kept_days
  max_retention_days = 10 * var.kept_days
}

resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 2 * * ? *)"
    start_window      = 60
    completion_window = 480

    lifecycle {
      delete_after = var.kept_days
    }

    dynamic "copy_action" {
      for_each = var.copy_vault_arn == null ? [] : [var.copy_vault_arn]

      content {
        destination_vault_arn = copy_action.value

        lifecycle {
          delete_after = var.kept_days
        }
      }
    }
  }
}

module "role" {
  source = "../service_role"

  name            = "${var.name}-backup"
  description     = "AWS Backup, copying databases and bringing them back"
  service         = "backup.amazonaws.com"
  trust_condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
  managed_policies = {
    backup  = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
    restore = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForRestores"
  }
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = module.role.arn
  resources    = var.resource_arns
}
