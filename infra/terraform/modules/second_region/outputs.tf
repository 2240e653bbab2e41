output "addresses" {
  description = "The accelerator's fixed addresses; empty without."
  value       = flatten([for accelerator in aws_globalaccelerator_accelerator.this : accelerator.ip_sets[*].ip_addresses])
}
