mock_provider "aws" {
  source = "../../testing"
}

variables {
  name            = "exchange-test"
  vpc_id          = "vpc-1"
  subnet_ids      = ["subnet-a", "subnet-b", "subnet-c"]
  kms_key_arn     = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
  logs_key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/logs"
  secrets_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/secrets"
  secret_arns     = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:exchange-test/redis"]
  service_accounts = {
    order  = [{ Effect = "Allow", Action = ["kms:Decrypt"], Resource = ["arn:aws:kms:eu-central-1:111122223333:key/application"] }]
    engine = []
  }
}

run "private_audited_sealed" {
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The control plane is private."
  }

  assert {
    condition     = contains(aws_eks_cluster.this.enabled_cluster_log_types, "audit") && aws_cloudwatch_log_group.this.kms_key_id == var.logs_key_arn
    error_message = "Audited, under our key."
  }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.kms_key_arn && contains(aws_eks_cluster.this.encryption_config[0].resources, "secrets")
    error_message = "Secrets are sealed with our key."
  }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && aws_eks_cluster.this.deletion_protection
    error_message = "Access by IAM entries; protected."
  }
}

run "the_first_load_balancer_of_an_account" {
  assert {
    condition     = contains(flatten([for statement in local.load_balancer_statements : statement.Action]), "iam:CreateServiceLinkedRole")
    error_message = "Its linked role is not there yet."
  }
}

run "nodes_and_add_ons_follow_the_control_plane" {
  variables {
    addon_versions = { coredns = "v1.14.0-eksbuild.1" }
  }

  assert {
    condition     = alltrue([for group in aws_eks_node_group.this : group.version == var.kubernetes_version]) && alltrue([for each in data.aws_eks_addon_version.this : each.kubernetes_version == var.kubernetes_version])
    error_message = "Else the control plane alone is upgraded."
  }

  assert {
    condition     = aws_eks_addon.second["coredns"].addon_version == "v1.14.0-eksbuild.1" && aws_eks_addon.first["vpc-cni"].addon_version == data.aws_eks_addon_version.this["vpc-cni"].version
    error_message = "What is named goes before what AWS recommends."
  }
}

run "the_engine_never_lands_on_spot" {
  assert {
    condition     = aws_eks_node_group.this["engine-0"].capacity_type == "ON_DEMAND" && one(aws_eks_node_group.this["engine-0"].taint).effect == "NO_SCHEDULE"
    error_message = "The engine's pool is on demand and tainted."
  }

  assert {
    condition     = aws_eks_node_group.this["stateless-0"].capacity_type == "SPOT" && length(aws_eks_node_group.this["stateless-0"].taint) == 0
    error_message = "The stateless pool is Spot."
  }

  assert {
    condition     = alltrue([for t in aws_launch_template.this : t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Pods cannot take the node's role."
  }

  assert {
    condition     = aws_eks_node_group.this["base-0"].capacity_type == "ON_DEMAND" && length(aws_eks_node_group.this["base-0"].taint) == 0
    error_message = "What keeps the cluster alive has machines that stay."
  }

  assert {
    condition     = alltrue([for name, group in aws_eks_node_group.this : length(group.subnet_ids) == 1]) && sum([for name, group in aws_eks_node_group.this : group.scaling_config[0].min_size if startswith(name, "stateless-")]) == var.stateless_nodes.min
    error_message = "A group a zone, and a pool as large as it was asked for."
  }
}

run "each_service_account_has_its_own_role" {
  assert {
    condition     = toset(keys(aws_eks_pod_identity_association.this)) == toset(["order", "engine"]) && alltrue([for a in aws_eks_pod_identity_association.this : a.namespace == "exchange"])
    error_message = "One association an account."
  }

  assert {
    condition     = length(distinct(values(output.service_account_role_arns))) == 2
    error_message = "One role an account."
  }
}

run "stateless_on_demand_by_switch" {
  variables {
    stateless_on_spot   = false
    public_access_cidrs = ["203.0.113.0/24"]
    administrators      = { platform = "arn:aws:iam::111122223333:role/platform" }
  }

  assert {
    condition     = aws_eks_node_group.this["stateless-0"].capacity_type == "ON_DEMAND" && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "Both by switch."
  }

  assert {
    condition     = keys(aws_eks_access_policy_association.administrator) == ["platform"]
    error_message = "Administrators are listed."
  }
}

run "disks_under_a_key_of_ours_by_switch" {
  variables {
    disks_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/disks"
  }

  assert {
    condition     = alltrue([for t in aws_launch_template.this : t.block_device_mappings[0].ebs[0].kms_key_id == var.disks_key_arn && t.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "Every pool's disks."
  }
}

run "refuses_the_whole_internet" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}
