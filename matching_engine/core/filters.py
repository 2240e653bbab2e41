"""The filters that the rules of a market's registration do not know (rules version 5, ADR 0045)."""

from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.limits import ICEBERG_PARTS_MAX, TRAILING_BIPS_MAX, TRAILING_BIPS_MIN
from matching_engine.core.engine_limits import UNBOUNDED


class MarketFilters:
    """One market's; as they begin, none refuses what the rules and the engine's limits would take.

    `price_step_ticks`, `quantity_step_lots`: prices and quantities are multiples of them. `market_*` hold
    for orders that work at any price. `position_atoms_max`, `min_notional_atoms`, `percent_*` and the last
    two, of MAX_ASSET, are 0 where there is no such filter.
    """

    def __init__(self, notional_atoms_min: int, notional_atoms_max: int) -> None:
        self.price_step_ticks = 1
        self.quantity_step_lots = 1
        self.market_lots_min = 0
        self.market_step_lots = 1
        self.market_notional_atoms_min = notional_atoms_min
        self.market_notional_atoms_max = notional_atoms_max
        self.min_notional_atoms = 0
        self.min_notional_to_market = False
        self.percent_up_ppm = 0
        self.percent_down_ppm = 0
        self.algo_orders_max = UNBOUNDED
        self.iceberg_orders_max = UNBOUNDED
        self.order_lists_max = UNBOUNDED
        self.order_amends_max = UNBOUNDED
        self.iceberg_parts_max = ICEBERG_PARTS_MAX
        self.above_bips_min = TRAILING_BIPS_MIN
        self.above_bips_max = TRAILING_BIPS_MAX
        self.below_bips_min = TRAILING_BIPS_MIN
        self.below_bips_max = TRAILING_BIPS_MAX
        self.position_atoms_max = 0
        self.base_atoms_max = 0
        self.quote_atoms_max = 0

    def refuses_more(self) -> bool:
        """Whether every order has to be looked at, plain ones too."""
        return (
            self.price_step_ticks > 1
            or self.quantity_step_lots > 1
            or self.market_lots_min > 0
            or self.market_step_lots > 1
            or self.min_notional_atoms > 0
            or self.percent_up_ppm > 0
            or self.position_atoms_max > 0
            or self.base_atoms_max > 0
            or self.quote_atoms_max > 0
        )


class AccountFilters:
    """How much one account may have open in all markets together; 0: no such filter."""

    def __init__(self) -> None:
        self.orders_max = 0
        self.algo_orders_max = 0
        self.iceberg_orders_max = 0
        self.order_lists_max = 0

    def refuse_more(self) -> bool:
        """Whether there is any."""
        return (
            self.orders_max > 0
            or self.algo_orders_max > 0
            or self.iceberg_orders_max > 0
            or self.order_lists_max > 0
        )


class OpenCounts:
    """Of one account in all markets: its open orders that wait for a price, and its icebergs."""

    def __init__(self) -> None:
        self.algo_orders = 0
        self.iceberg_orders = 0


class Filters:
    """All that was changed. `set_by`: (type, market, asset) -> the newest command about that filter."""

    def __init__(self) -> None:
        self.set_by: dict[tuple[int, int, int], SetFilter] = {}
        self.of_account = AccountFilters()
        self.asset_atoms_max: dict[int, int] = {}
