"""How many watchers an exchange serves beside 300 orders a second, in which delay."""
