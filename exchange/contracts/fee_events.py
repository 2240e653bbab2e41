"""Events about fees, all of rules version 5 (ADR 0047). Units as in `events`."""

from mypy_extensions import mypyc_attr

from exchange.contracts.events import Event

__all__ = ["MarketFeesChanged"]


@mypyc_attr(acyclic=True)
class MarketFeesChanged(Event):
    """Every trade of the market after this one pays these fees, whenever its orders were placed."""

    def __init__(self, market_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        self.market_id = market_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
