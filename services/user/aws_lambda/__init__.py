"""The user service's functions on AWS."""
