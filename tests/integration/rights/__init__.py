"""What each service may do in the database, held against what its code asks."""
