locals {
  # The engine and what talks to Kafka all the time must not be taken away with two minutes' notice: on demand, and
  # behind a taint, so that nothing else lands there. Stateless services run on Spot, in several classes at once.
  pools = {
    engine = {
      capacity = "ON_DEMAND"
      types    = var.engine_instance_types
      size     = var.engine_nodes
      labels   = { "exchange/pool" = "engine" }
      taints   = { "exchange/pool" = { value = "engine", effect = "NO_SCHEDULE" } }
    }
    stateless = {
      capacity = var.stateless_on_spot ? "SPOT" : "ON_DEMAND"
      types    = var.stateless_instance_types
      size     = var.stateless_nodes
      labels   = { "exchange/pool" = "stateless" }
      taints   = {}
    }
  }
}

resource "aws_eks_node_group" "this" {
  for_each = local.pools

  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = module.node_role.arn
  subnet_ids             = var.subnet_ids
  ami_type               = "AL2023_ARM_64_STANDARD"
  capacity_type          = each.value.capacity
  instance_types         = each.value.types
  labels                 = each.value.labels

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = aws_launch_template.this[each.key].latest_version
  }

  scaling_config {
    min_size     = each.value.size.min
    desired_size = each.value.size.min
    max_size     = each.value.size.max
  }

  # One at a time: leader and standby of the engine never lose their nodes together.
  update_config {
    max_unavailable = 1
  }

  node_repair_config {
    enabled = true
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.key
      value  = taint.value.value
      effect = taint.value.effect
    }
  }

  # For the cluster autoscaler, which finds its groups by these.
  tags = {
    "k8s.io/cluster-autoscaler/enabled"     = "true"
    "k8s.io/cluster-autoscaler/${var.name}" = "owned"
  }

  lifecycle {
    create_before_destroy = true
    # The autoscaler's business from the first day on.
    ignore_changes = [scaling_config[0].desired_size]
  }
}

resource "aws_launch_template" "this" {
  for_each = local.pools

  name_prefix            = "${var.name}-${each.key}-"
  update_default_version = true

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # One hop: pods cannot reach the node's own role.
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 50
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-${each.key}" }
  }
}

module "node_role" {
  source = "../service_role"

  name        = "${var.name}-node"
  description = "Machines of the cluster; pods have roles of their own"
  service     = "ec2.amazonaws.com"
  managed_policies = {
    worker   = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
    registry = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
    # A shell on a node through Systems Manager: audited, and without an open port.
    shell = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
  }
}

# Migrations, topics, audits: they run rarely and need no machine that waits for them.
resource "aws_eks_fargate_profile" "jobs" {
  cluster_name           = aws_eks_cluster.this.name
  fargate_profile_name   = "jobs"
  pod_execution_role_arn = module.fargate_role.arn
  subnet_ids             = var.subnet_ids

  selector {
    namespace = var.namespace
    labels    = { "exchange/placement" = "fargate" }
  }
}

module "fargate_role" {
  source = "../service_role"

  name             = "${var.name}-fargate"
  description      = "Fargate, starting pods of jobs"
  service          = "eks-fargate-pods.amazonaws.com"
  managed_policies = { execution = "arn:aws:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy" }
}
