"""The Terraform really applied, by the provider itself, to an emulator of AWS: as far as each goes."""
