"""The event of a filter that has changed (rules version 5, ADR 0045)."""

from mypy_extensions import mypyc_attr

from exchange.contracts.events import Event

__all__ = ["FilterChanged"]


@mypyc_attr(acyclic=True)
class FilterChanged(Event):
    """From now on orders are refused by these values; fields as in `filter_commands.SetFilter`."""

    def __init__(
        self,
        filter_type: int,
        market_id: int,
        asset_id: int,
        first: int,
        second: int,
        third: int,
        fourth: int,
    ) -> None:
        self.filter_type = filter_type
        self.market_id = market_id
        self.asset_id = asset_id
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
