"""The audit log, for the operator: `python -m services.audit_log.main verify`."""
