"""Who somebody is at an issuer that is believed: the tokens, and the keys that prove them."""
