"""The JSON objects that tell of orders, order lists, trades and prevented matches."""
