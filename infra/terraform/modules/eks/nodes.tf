locals {
  # The engine and what talks to Kafka all the time must not be taken away with two minutes' notice: on demand, and
  # behind a taint, so that nothing else lands there. What keeps the cluster itself alive (names, load balancers,
  # secrets, scaling) runs on demand too, and jobs beside it. Stateless services run on Spot, in several classes at
  # once, and on the base where there is no Spot: they prefer the one and tolerate the other.
  pools = {
    engine = {
      capacity = "ON_DEMAND"
      types    = var.engine_instance_types
      size     = var.engine_nodes
      labels   = { "exchange/pool" = "engine" }
      taints   = { "exchange/pool" = { value = "engine", effect = "NO_SCHEDULE" } }
    }
    base = {
      capacity = "ON_DEMAND"
      types    = var.base_instance_types
      size     = var.base_nodes
      labels   = { "exchange/pool" = "base" }
      taints   = {}
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

# A group a zone: where one group spans three, its autoscaler cannot choose the zone that a pod waits for.
locals {
  groups = merge([for name, pool in local.pools : {
    for index, subnet in var.subnet_ids : "${name}-${index}" => merge(pool, { pool = name, zone = index, subnet = subnet })
  }]...)
}

resource "aws_eks_node_group" "this" {
  for_each = local.groups

  cluster_name           = aws_eks_cluster.this.name
  node_group_name_prefix = "${each.key}-"
  node_role_arn          = module.node_role.arn
  subnet_ids             = [each.value.subnet]
  ami_type               = "AL2023_ARM_64_STANDARD"
  # Follows the control plane: without it nodes stay at the version that they were made with.
  version        = aws_eks_cluster.this.version
  capacity_type  = each.value.capacity
  instance_types = each.value.types
  labels         = each.value.labels

  launch_template {
    id      = aws_launch_template.this[each.value.pool].id
    version = aws_launch_template.this[each.value.pool].latest_version
  }

  scaling_config {
    # Of a pool's smallest and largest size, each zone has its share; the first zones take what is left over.
    min_size     = floor(each.value.size.min / length(var.subnet_ids)) + (each.value.zone < each.value.size.min % length(var.subnet_ids) ? 1 : 0)
    desired_size = floor(each.value.size.min / length(var.subnet_ids)) + (each.value.zone < each.value.size.min % length(var.subnet_ids) ? 1 : 0)
    max_size     = ceil(each.value.size.max / length(var.subnet_ids))
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
      kms_key_id            = var.disks_key_arn
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
