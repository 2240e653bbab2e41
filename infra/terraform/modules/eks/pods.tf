# Each service account gets a role with what its process does, and nothing else. A pod of another account that asks
# for these credentials is refused by EKS, not by us.
module "pod_role" {
  source   = "../service_role"
  for_each = var.service_accounts

  name        = "${var.name}-${each.key}"
  description = "Pods of the service account ${each.key}"
  service     = "pods.eks.amazonaws.com"
  statements  = each.value
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = var.service_accounts

  cluster_name    = aws_eks_cluster.this.name
  namespace       = var.namespace
  service_account = each.key
  role_arn        = module.pod_role[each.key].arn
}

# Controllers that live in kube-system: load balancers, volumes, node scaling, secrets, metrics.
module "controller_role" {
  source   = "../service_role"
  for_each = local.controllers

  name             = "${var.name}-${each.key}"
  description      = "Pods of the controller ${each.key}"
  service          = "pods.eks.amazonaws.com"
  statements       = each.value.statements
  managed_policies = each.value.managed
}

resource "aws_eks_pod_identity_association" "controller" {
  for_each = local.controllers

  cluster_name    = aws_eks_cluster.this.name
  namespace       = each.value.namespace
  service_account = each.value.account
  role_arn        = module.controller_role[each.key].arn
}

# The version that AWS puts beside this version of Kubernetes, unless another one is named: add-ons follow the cluster.
data "aws_eks_addon_version" "this" {
  for_each = local.addons

  addon_name         = each.key
  kubernetes_version = aws_eks_cluster.this.version
}

locals {
  addons         = toset(["aws-ebs-csi-driver", "coredns", "eks-pod-identity-agent", "kube-proxy", "metrics-server", "vpc-cni"])
  addon_versions = merge({ for name, each in data.aws_eks_addon_version.this : name => each.version }, var.addon_versions)
}

# In this order: networking and identity first, or no pod comes up; the rest when there are nodes.
resource "aws_eks_addon" "first" {
  for_each = toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.addon_versions[each.key]
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"
  configuration_values = each.key != "vpc-cni" ? null : jsonencode({
    # Network policies of the chart are enforced by the CNI itself.
    enableNetworkPolicy = "true"
    env                 = { ENABLE_PREFIX_DELEGATION = "true", WARM_PREFIX_TARGET = "1" }
  })
}

resource "aws_eks_addon" "second" {
  for_each = toset(["aws-ebs-csi-driver", "coredns", "metrics-server"])

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = local.addon_versions[each.key]
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "PRESERVE"

  depends_on = [aws_eks_node_group.this, aws_eks_pod_identity_association.controller]
}
