"""What the events say, followed with arithmetic of its own: `auditor` is where it begins."""
