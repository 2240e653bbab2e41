"""The public REST API: a request's way from its path to its answer."""
