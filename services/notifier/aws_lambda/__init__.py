"""The notifier's functions on AWS."""
