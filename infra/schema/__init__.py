"""The AWS provider's schema, for `terraform validate` and `test` away from its registry."""
