"""What the engine and the services share, in rooms by what they are for."""
