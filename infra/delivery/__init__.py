"""What builds images on AWS, and compares AWS with the main branch every night."""
