"""Makes a stopped exchange anew: its tables and hot books, or its logs too."""
