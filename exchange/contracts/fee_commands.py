"""Commands about fees, all of rules version 5 (ADR 0047). Units as in `commands`."""

from mypy_extensions import mypyc_attr

from exchange.contracts.commands import Command

__all__ = ["SetMarketFees"]


@mypyc_attr(acyclic=True)
class SetMarketFees(Command):
    """Change what a market's makers and takers pay, of what they receive, from the next trade on."""

    def __init__(self, command_id: int, market_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        self.command_id = command_id
        self.market_id = market_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm
