"""Fees as those read them who follow the events: a market's rules after a change. Pure."""

from typing import Final

from exchange.contracts.codec import field_names
from exchange.contracts.events import MarketRegistered
from exchange.contracts.fee_events import MarketFeesChanged

__all__ = ["with_fees"]

_FIELDS: Final = field_names(MarketRegistered)


def with_fees(rules: MarketRegistered, changed: MarketFeesChanged) -> MarketRegistered:
    """A market's rules with its new fees. Events are shared by who reads them, so none is changed."""
    values = {name: getattr(rules, name) for name in _FIELDS}
    values["maker_fee_ppm"], values["taker_fee_ppm"] = changed.maker_fee_ppm, changed.taker_fee_ppm
    return MarketRegistered(**values)
