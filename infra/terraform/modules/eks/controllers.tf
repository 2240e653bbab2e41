data "aws_caller_identity" "this" {}
data "aws_region" "this" {}

locals {
  region     = data.aws_region.this.region
  account    = data.aws_caller_identity.this.account_id
  of_cluster = { StringEquals = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = var.name } }

  controllers = {
    network = {
      namespace = "kube-system", account = "aws-node", statements = []
      managed   = { cni = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy" }
    }
    volumes = {
      namespace = "kube-system", account = "ebs-csi-controller-sa", statements = []
      managed   = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" }
    }
    autoscaler = {
      namespace = "kube-system", account = "cluster-autoscaler", managed = {}
      statements = [
        {
          Effect = "Allow"
          Action = [
            "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
            "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities",
            "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
            "ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup",
          ]
          Resource = "*"
        },
        {
          Effect    = "Allow"
          Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
          Resource  = "*"
          Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}" = "owned" } }
        },
      ]
    }
    load-balancers = {
      namespace  = "kube-system", account = "aws-load-balancer-controller", managed = {}
      statements = local.load_balancer_statements
    }
    secrets = {
      namespace = "external-secrets", account = "external-secrets", managed = {}
      statements = length(var.secret_arns) == 0 ? [] : [
        { Effect = "Allow", Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], Resource = var.secret_arns },
        { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.secrets_key_arn] },
      ]
    }
    metrics = {
      namespace  = "monitoring", account = "metrics-prometheus", managed = {}
      statements = var.metrics_statements
    }
    telemetry = {
      namespace  = "opentelemetry", account = "adot-collector", managed = {}
      statements = var.telemetry_statements
    }
  }

  # After the controller's published policy, narrowed: it makes, tags and changes only what carries this cluster's tag.
  load_balancer_statements = [
    # An account that never had a load balancer has no such role yet.
    {
      Effect    = "Allow"
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:aws:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    # Knows no resources, so it cannot be narrowed: IAM never grants it on a load balancer.
    { Effect = "Allow", Action = ["elasticloadbalancing:SetWebAcl"], Resource = "*" },
    {
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate", "acm:ListCertificates", "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies", "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTrustStores",
        "wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL",
        "shield:GetSubscriptionState", "shield:DescribeProtection", "shield:CreateProtection", "shield:DeleteProtection",
      ]
      Resource = "*"
    },
    {
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name } }
    },
    {
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddTags"]
      Resource = ["arn:aws:elasticloadbalancing:${local.region}:${local.account}:*"]
      Condition = { StringEquals = {
        "elasticloadbalancing:CreateAction"    = ["CreateLoadBalancer", "CreateTargetGroup", "CreateListener", "CreateRule"]
        "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name
      } }
    },
    # Tags of what is there already and is this cluster's: else a changed annotation stops every later change.
    {
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:AddTags"]
      Resource  = ["arn:aws:elasticloadbalancing:${local.region}:${local.account}:*"]
      Condition = local.of_cluster
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
      Condition = local.of_cluster
    },
    {
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteRule", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule",
        "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetIpAddressType", "elasticloadbalancing:SetRulePriorities",
        "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
      ]
      Resource  = ["arn:aws:elasticloadbalancing:${local.region}:${local.account}:*"]
      Condition = local.of_cluster
    },
    {
      Effect   = "Allow"
      Action   = ["ec2:CreateSecurityGroup"]
      Resource = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*", "arn:aws:ec2:${local.region}:${local.account}:vpc/${var.vpc_id}"]
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
      Condition = { StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup", "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name } }
    },
    {
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
      Condition = { StringEquals = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = var.name } }
    },
    # Rules that let the load balancer reach pods stand in the cluster's own group, which carries EKS's tag.
    {
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["arn:aws:ec2:${local.region}:${local.account}:security-group/*"]
      Condition = { StringEquals = { "aws:ResourceTag/aws:eks:cluster-name" = var.name } }
    },
  ]
}
