"""What a bot on binance-sdk-spot does, by its three interfaces, and how it fares here."""
