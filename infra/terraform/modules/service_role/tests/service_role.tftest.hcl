mock_provider "aws" {
  source = "../../testing"
}

variables {
  name        = "exchange-test-order"
  description = "Test."
  service     = "pods.eks.amazonaws.com"
  statements  = [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = ["arn:aws:kms:eu-central-1:111122223333:key/a"] }]
}

run "pods_assume_by_pod_identity" {
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Action == ["sts:AssumeRole", "sts:TagSession"]
    error_message = "Pod Identity tags its sessions."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Action == ["kms:Decrypt"]
    error_message = "The policy is what the caller gave."
  }
}

run "other_services_are_bound_by_a_condition" {
  variables {
    service         = "firehose.amazonaws.com"
    statements      = []
    trust_condition = { StringEquals = { "aws:SourceAccount" = "111122223333" } }
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "The service acts for this account only."
  }

  assert {
    condition     = length(aws_iam_role_policy.this) == 0
    error_message = "No statements, no policy."
  }
}
