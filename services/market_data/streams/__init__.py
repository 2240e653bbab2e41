"""Streams: connections, who listens to what, and what is sent when."""
