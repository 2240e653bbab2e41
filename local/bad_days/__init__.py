"""Bad days on demand, for authors of bots: refusals, lost answers, torn streams."""
