locals {
  pod_identity = {
    Effect    = "Allow"
    Principal = { Service = "pods.eks.amazonaws.com" }
    Action    = ["sts:AssumeRole", "sts:TagSession"]
  }
  service = {
    Effect    = "Allow"
    Principal = { Service = var.service }
    Action    = ["sts:AssumeRole"]
    Condition = { for test, keys in var.trust_condition : test => keys }
  }
  # EKS Pod Identity sets no source account; every other service is bound to what the caller says.
  trust = var.service == "pods.eks.amazonaws.com" ? jsonencode(local.pod_identity) : jsonencode(
    { for key, value in local.service : key => value if key != "Condition" || length(var.trust_condition) > 0 }
  )
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [jsondecode(local.trust)] })
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "this" {
  count = length(var.statements) > 0 ? 1 : 0

  name   = "access"
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = var.statements })
}

resource "aws_iam_role_policy_attachment" "managed" {
  for_each = var.managed_policies

  role       = aws_iam_role.this.name
  policy_arn = each.value
}
