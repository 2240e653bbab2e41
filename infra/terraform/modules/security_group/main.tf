locals {
  rules = merge([for client, group in var.clients : {
    for name, port in var.ports : "${client}-${name}" => { group = group, port = port, name = name, client = client }
  }]...)
}

resource "aws_security_group" "this" {
  # A replacement stands beside the old one for a while, and a VPC has each name once.
  name_prefix = "${var.name}-"
  description = var.description
  vpc_id      = var.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

# Who may connect is named by its security group: addresses of pods change, groups do not.
resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.rules

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "${each.value.name} from ${each.value.client}"
}

# Members talk to each other only where a caller says so (brokers do, readers of a database do not).
resource "aws_vpc_security_group_ingress_rule" "members" {
  count = var.members_connect ? 1 : 0

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "-1"
  description                  = "members of the group"
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = var.egress

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value.group
  cidr_ipv4                    = each.value.cidr
  ip_protocol                  = each.value.port == null ? "-1" : "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = each.key
}
