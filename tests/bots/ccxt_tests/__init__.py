"""ccxt's own tests of an exchange, pointed at this one: how they are started, and what they find."""
