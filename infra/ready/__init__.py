"""What is missing after each step of docs/deploy.md: `python -m infra.ready STEP`."""
