"""How much one command may do and how much state there may be (rules version 2).

The numbers stand in exchange/contracts/limits.py. An engine is given them, so that tests and the simulator
can make them small enough to be met; all engines of one exchange must have the same.
"""

from typing import Final

from exchange.contracts import limits

UNBOUNDED: Final = 2**63 - 1  # what rules version 1 has


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
        follow_ups_per_command_max: int = limits.FOLLOW_UPS_PER_COMMAND_MAX,
        algo_orders_max: int = limits.ALGO_ORDERS_MAX,
        iceberg_orders_max: int = limits.ICEBERG_ORDERS_MAX,
        order_lists_max: int = limits.ORDER_LISTS_MAX,
        order_amends_max: int = limits.ORDER_AMENDS_MAX,
    ) -> None:
        self.fills_per_command_max = fills_per_command_max
        self.open_orders_max = open_orders_max
        self.markets_max = markets_max
        self.assets_max = assets_max
        self.amount_atoms_max = amount_atoms_max
        self.link_size_bytes_max = link_size_bytes_max
        self.follow_ups_per_command_max = follow_ups_per_command_max
        self.algo_orders_max = algo_orders_max
        self.iceberg_orders_max = iceberg_orders_max
        self.order_lists_max = order_lists_max
        self.order_amends_max = order_amends_max

    def fills_per_follow_up_max(self) -> int:
        """How many resting orders one that was sent to work meets: half of what an order may."""
        return (self.fills_per_command_max + 1) // 2


DEFAULT: Final = EngineLimits()
