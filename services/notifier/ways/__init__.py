"""By which ways each account's owner is told, and webhooks (ADR 0049)."""
