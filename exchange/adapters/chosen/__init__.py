"""The adapter that the settings name, opened and closed: what main modules call."""
