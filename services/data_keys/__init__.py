"""Data keys, for the operator: `python -m services.data_keys.main rotate`."""
