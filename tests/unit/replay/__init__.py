"""A recorded market read, and what is ordered for it."""
