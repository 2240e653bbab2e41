"""What carries the exchange: images, gateway, Terraform, and the checks of them."""
