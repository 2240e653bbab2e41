"""What AWS runs of the market history: the public reads that every region answers."""
