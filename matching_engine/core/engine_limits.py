"""How much one command may do and how much state there may be (rules version 2).

The numbers stand in exchange/contracts/limits.py. An engine is given them, so that tests and the simulator
can make them small enough to be met; all engines of one exchange must have the same.
"""

from exchange.contracts import limits

UNBOUNDED = 2**63 - 1  # what rules version 1 has


class EngineLimits:
    """`fills_per_command_max`: resting orders that one order meets, traded with or closed."""

    def __init__(
        self,
        fills_per_command_max: int = limits.FILLS_PER_COMMAND_MAX,
        open_orders_max: int = limits.OPEN_ORDERS_MAX,
        markets_max: int = limits.MARKETS_MAX,
        assets_max: int = limits.ASSETS_MAX,
        amount_atoms_max: int = limits.AMOUNT_ATOMS_MAX,
        link_size_bytes_max: int = limits.LINK_SIZE_BYTES_MAX,
    ) -> None:
        self.fills_per_command_max = fills_per_command_max
        self.open_orders_max = open_orders_max
        self.markets_max = markets_max
        self.assets_max = assets_max
        self.amount_atoms_max = amount_atoms_max
        self.link_size_bytes_max = link_size_bytes_max


DEFAULT = EngineLimits()
