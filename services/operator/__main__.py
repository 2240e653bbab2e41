"""`python -m services.operator`."""

from services.operator.main import cli

if __name__ == "__main__":
    cli()
