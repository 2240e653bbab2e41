"""A strategy of freqtrade, and its suite: dry run, in an environment of its own."""
