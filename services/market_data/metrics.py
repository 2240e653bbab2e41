"""Figures of the market-data service for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = ["APPLIED_SEQ", "CLIENTS", "CLIENTS_CUT", "MESSAGES_QUEUED", "REQUESTS"]

APPLIED_SEQ: Final = Gauge("exchange_market_data_applied_seq", "Last event applied to the books in memory")
CLIENTS: Final = Gauge("exchange_market_data_stream_clients", "Open stream connections")
CLIENTS_CUT: Final = Counter("exchange_market_data_stream_clients_cut", "Connections ended by the service")
MESSAGES_QUEUED: Final = Counter("exchange_market_data_stream_messages", "Messages queued for clients")
REQUESTS: Final = Counter("exchange_market_data_requests", "REST requests", ["route", "status"])
