"""The ports' implementations. Only main modules import them."""
