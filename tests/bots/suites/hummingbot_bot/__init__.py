"""hummingbot's own connector, run by hummingbot's own clock, and its suite: in an environment of its own."""
