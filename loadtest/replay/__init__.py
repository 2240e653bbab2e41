"""A day of many markets replayed: how fast, how late, and whether anything is lost."""
