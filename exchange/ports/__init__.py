"""What pure code needs of the world, as small protocols; adapters keep them."""
