"""The job that makes the logs' topics."""
