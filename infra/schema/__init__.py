"""The AWS provider's schema without the provider: `terraform validate` and `test` away from its registry."""
