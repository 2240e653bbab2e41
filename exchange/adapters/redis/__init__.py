"""Valkey or Redis: the client."""
