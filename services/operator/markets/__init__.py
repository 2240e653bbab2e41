"""What operators order of markets: their filters, their fees, their end."""
