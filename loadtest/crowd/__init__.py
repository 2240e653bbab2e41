"""The watchers: thousands of clients of streams in a lean process, and what they saw."""
