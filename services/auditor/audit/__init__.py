"""What the events alone say, and whether they may say it. Pure."""
