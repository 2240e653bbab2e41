"""Thousands of clients of streams in a lean process of their own, and what they saw."""
