"""Commands about fees, all of rules version 5 (ADR 0047). Units as in `commands`."""

from mypy_extensions import mypyc_attr

from exchange.contracts.commands import Command

__all__ = [
    "SetAccountTier",
    "SetFeeDiscount",
    "SetFeeTier",
    "SetMarketFees",
    "SwitchFeeDiscount",
]


@mypyc_attr(acyclic=True)
class SetMarketFees(Command):
    """Change what a market's makers and takers pay, of what they receive, from the next trade on."""

    def __init__(self, command_id: int, market_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        self.command_id = command_id
        self.market_id = market_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm


@mypyc_attr(acyclic=True)
class SetFeeTier(Command):
    """What accounts of a tier pay: shares of each market's fees, in ppm of the fee.

    `tier` counts from 1; `volume_atoms_min` of `asset_id`, traded within 30 days, is what it asks for.
    0 of it takes the tier away: who is in it pays what everybody pays.
    """

    def __init__(
        self,
        command_id: int,
        tier: int,
        asset_id: int,
        volume_atoms_min: int,
        maker_share_ppm: int,
        taker_share_ppm: int,
    ) -> None:
        self.command_id = command_id
        self.tier = tier
        self.asset_id = asset_id
        self.volume_atoms_min = volume_atoms_min
        self.maker_share_ppm = maker_share_ppm
        self.taker_share_ppm = taker_share_ppm


@mypyc_attr(acyclic=True)
class SetAccountTier(Command):
    """Put an account into a tier, 0: into none. Whoever counts volumes sends it; twice is as once."""

    def __init__(self, command_id: int, user_id: int, tier: int) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.tier = tier


@mypyc_attr(acyclic=True)
class SetFeeDiscount(Command):
    """The asset in which fees may be paid, and how much smaller they are then. `asset_id` 0: in none."""

    def __init__(self, command_id: int, asset_id: int, discount_ppm: int) -> None:
        self.command_id = command_id
        self.asset_id = asset_id
        self.discount_ppm = discount_ppm


@mypyc_attr(acyclic=True)
class SwitchFeeDiscount(Command):
    """An account pays its fees in the discount asset from now on (`is_on` 1), or does not (0)."""

    def __init__(self, command_id: int, user_id: int, is_on: int) -> None:
        self.command_id = command_id
        self.user_id = user_id
        self.is_on = is_on
