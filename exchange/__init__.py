"""Code shared by the engine and the services: contracts, money, ports and their adapters."""
