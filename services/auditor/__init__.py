"""A second opinion: everything derived anew from the events alone, and compared with what is stored."""
