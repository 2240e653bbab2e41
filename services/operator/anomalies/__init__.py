"""Anomalies as operators see them, and who turns a market to cancel-only for one."""
