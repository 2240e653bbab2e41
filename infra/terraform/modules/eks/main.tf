resource "aws_eks_cluster" "this" {
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = module.cluster_role.arn
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  deletion_protection       = var.deletion_protection
  # Add-ons are listed below; the ones that EKS puts in by itself would be unmanaged.
  bootstrap_self_managed_addons = false

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  kubernetes_network_config {
    service_ipv4_cidr = var.service_cidr
  }

  # Secrets in etcd are sealed with our key on top of EKS's own.
  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.kms_key_arn
    }
  }

  access_config {
    authentication_mode = "API"
    # Who made the cluster is no administrator by that: administrators are listed.
    bootstrap_cluster_creator_admin_permissions = false
  }

  # Lets AWS move traffic out of a zone that is in trouble.
  zonal_shift_config {
    enabled = true
  }

  upgrade_policy {
    # EKS does not move the version under our feet at the end of standard support: it costs more from then on, and
    # `make infra-test` is red three months before (infra/checks/versions.py).
    support_type = "EXTENDED"
  }

  depends_on = [aws_cloudwatch_log_group.this]
}

# Made before the cluster, or EKS would make it: without our key, and kept for ever.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = 365
  kms_key_id        = var.logs_key_arn
}

module "cluster_role" {
  source = "../service_role"

  name             = "${var.name}-cluster"
  description      = "The control plane of EKS"
  service          = "eks.amazonaws.com"
  managed_policies = { cluster = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy" }
  statements = [{
    Effect   = "Allow"
    Action   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt"]
    Resource = [var.kms_key_arn]
  }]
}

resource "aws_eks_access_entry" "administrator" {
  for_each = var.administrators

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "administrator" {
  for_each = var.administrators

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }

  depends_on = [aws_eks_access_entry.administrator]
}
