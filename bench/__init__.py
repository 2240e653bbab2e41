"""A test bench for bots: an exchange of one's own, clean between tests (docs/bots.md)."""

from bench.account import Account, Fill
from bench.control import BenchError
from bench.exchange import Exchange
from bench.market import Market

__all__ = ["Account", "BenchError", "Exchange", "Fill", "Market"]
