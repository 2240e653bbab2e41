"""What people who write bots get: the wheel, the bench, and suites of small bots on it."""
