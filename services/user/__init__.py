"""People, their keys and their money: everything below /v1."""
