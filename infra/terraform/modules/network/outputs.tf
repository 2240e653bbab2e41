output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "The VPC's network."
  value       = aws_vpc.this.cidr_block
}

output "zones" {
  description = "The three availability zones."
  value       = local.zones
}

output "subnet_cidrs" {
  description = "Networks of the subnets by kind (private, public, intra), one a zone."
  value       = { for kind, subnets in local.subnets : kind => [for zone in local.zones : subnets[zone]] }
}

output "private_subnet_ids" {
  description = "Subnets of nodes and pods, one a zone."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # Whoever stands there has a way out from the first moment to the last: nodes join, and drain, by it.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_route.internet, aws_route_table_association.public]
}

output "public_subnet_ids" {
  description = "Subnets of internet-facing load balancers, one a zone."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "intra_subnet_ids" {
  description = "Subnets of data stores, one a zone, without a way to the internet."
  value       = [for zone in local.zones : aws_subnet.intra[zone].id]
}
