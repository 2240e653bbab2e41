"""What is asked for: from the text of parameters to whole numbers that were checked."""
