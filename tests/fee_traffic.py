"""Random commands about fees: markets' own, tiers, a discount, and who pays in which way."""

import random
from collections.abc import Sequence

from exchange.contracts.commands import Command
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)

__all__ = ["fee_command"]

_RATES_PPM = (0, 333, 1_000, 2_500, 100_000)
_SHARES_PPM = (0, 333_333, 750_000, 1_000_000)
_DISCOUNTS_PPM = (0, 250_000, 333_333, 1_000_000)
TIERS = (1, 2, 3)


def fee_command(
    draw: random.Random,
    command_id: int,
    users: Sequence[int],
    markets: Sequence[int],
    assets: Sequence[int],
) -> Command:
    """One of them. Most switch a discount on: it takes the switch, an asset, and a price to matter."""
    dice = draw.random()
    if dice < 0.2:
        return SetMarketFees(
            command_id, draw.choice(markets), draw.choice(_RATES_PPM), draw.choice(_RATES_PPM)
        )
    if dice < 0.35:
        volume = draw.choice((0, 1, 1, 1))
        shares = draw.choice(_SHARES_PPM), draw.choice(_SHARES_PPM)
        return SetFeeTier(command_id, draw.choice(TIERS), draw.choice(assets), volume, *shares)
    if dice < 0.55:
        return SetAccountTier(command_id, draw.choice(users), draw.choice((0, *TIERS)))
    if dice < 0.7:
        return SetFeeDiscount(command_id, draw.choice((0, *assets, *assets)), draw.choice(_DISCOUNTS_PPM))
    return SwitchFeeDiscount(command_id, draw.choice(users), draw.choice((0, 1, 1, 1)))
