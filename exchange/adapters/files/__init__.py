"""The ports in files, for one machine: logs, lease, objects, key."""
