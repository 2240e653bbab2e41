"""`make infra-test`: what can be known of the Terraform without an account of AWS."""
