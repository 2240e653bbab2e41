"""Orders of people who run the exchange: `python -m services.operator --help`."""
