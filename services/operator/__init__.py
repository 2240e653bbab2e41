"""What people who run the exchange may order, on the command line: `python -m services.operator --help`."""
