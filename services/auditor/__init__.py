"""A second opinion: all derived anew from the events alone, and compared."""
