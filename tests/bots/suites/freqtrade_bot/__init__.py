"""A strategy of freqtrade, and its suite: in dry run and in earnest, in an environment of its own."""
