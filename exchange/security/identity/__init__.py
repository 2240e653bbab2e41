"""Who somebody is at an issuer that is believed: tokens, and the keys that prove them."""
