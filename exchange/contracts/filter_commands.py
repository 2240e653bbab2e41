"""The command that changes a filter while its market trades (rules version 5, ADR 0045)."""

from mypy_extensions import mypyc_attr

from exchange.contracts.commands import Command

__all__ = ["SetFilter"]


@mypyc_attr(acyclic=True)
class SetFilter(Command):
    """Change one filter of a market, of all markets together, or of an asset.

    `filter_type`: codes.FILTER_*. `market_id` is 0 but for a market's own filter, `asset_id` but for an
    asset's. What the values mean, and their units, exchange/contracts/filter_kinds.py says; those that the
    filter does not have are 0. All of them 0 switch a filter off that can be off. Orders that are open keep
    what they have.
    """

    def __init__(
        self,
        command_id: int,
        filter_type: int,
        market_id: int,
        asset_id: int,
        first: int,
        second: int,
        third: int,
        fourth: int,
    ) -> None:
        self.command_id = command_id
        self.filter_type = filter_type
        self.market_id = market_id
        self.asset_id = asset_id
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
