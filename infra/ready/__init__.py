"""What is missing after each step of docs/deploy.md, in words: `python -m infra.ready STEP`."""
