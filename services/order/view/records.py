"""What the view holds: assets, markets, balances, orders and order lists. Units stand in the names."""

from dataclasses import dataclass, field

import msgspec

from exchange.contracts import codes
from exchange.contracts.codes import FILTER_NOTIONAL
from exchange.contracts.events import MarketRegistered, OrderAccepted
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import Values
from exchange.contracts.limits import INTEGER_MAX
from exchange.contracts.order_events import OrderWithTermsAccepted
from exchange.money import format_fixed
from exchange.trading.filters import values_of, with_filter

__all__ = [
    "NOT_YET_MS",
    "Asset",
    "Balance",
    "Market",
    "OrderListRecord",
    "OrderRecord",
    "OrderTerms",
    "accepted_order",
]

# A time that has not come.
NOT_YET_MS = -1


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset; its atom is 10**-decimals."""

    asset_id: int
    code: str
    decimals: int

    def text(self, amount_atoms: int) -> str:
        """An amount as text with all its decimals."""
        return format_fixed(amount_atoms, self.decimals)


@dataclass(slots=True)
class Market:
    """A market: its rules, its two assets, its mode (codes.MODE_*), and what was changed of its filters.

    `rules` are as the engine has them: those of its registration, with what has changed since.
    """

    rules: MarketRegistered
    base: Asset
    quote: Asset
    mode: int
    changed: dict[int, Values] = field(default_factory=dict)

    def change_filter(self, event: FilterChanged) -> None:
        """One of its filters has changed."""
        self.rules = with_filter(self.rules, event)
        self.changed[event.filter_type] = values_of(event)

    def market_notional_range(self) -> tuple[int, int]:
        """What an order at any price may be worth, in quote atoms: NOTIONAL may leave such orders alone."""
        rules = self.rules
        _, has_min, _, has_max = self.changed.get(FILTER_NOTIONAL, (0, 1, 0, 1))
        return (
            rules.notional_atoms_min if has_min else 0,
            rules.notional_atoms_max if has_max else INTEGER_MAX,
        )

    def price_text(self, ticks: int) -> str:
        """A price as text with the quote asset's decimals."""
        return format_fixed(ticks * self.rules.tick_atoms, self.quote.decimals)

    def quantity_text(self, lots: int) -> str:
        """A quantity as text with the base asset's decimals."""
        return format_fixed(lots * self.rules.lot_atoms, self.base.decimals)


@dataclass(slots=True)
class Balance:
    """What a user has of one asset."""

    available_atoms: int
    held_atoms: int


@dataclass(slots=True)
class OrderTerms:
    """What an order with terms has beside a plain one; 0: not set. The fields are columns of `orders`.

    `state`: codes.STATE_*, once it has ended what it was then. `trailing_ms`: when it began to follow the
    price.
    """

    order_list_id: int
    state: int
    stop_price_ticks: int
    trailing_bips: int
    trailing_ms: int
    iceberg_lots: int
    strategy_id: int
    strategy_type: int
    peg_price_type: int
    peg_offset_levels: int


class OrderRecord(msgspec.Struct, gc=False):
    """An order as far as it has come. The fields are the columns of the table `orders`.

    There are as many as a million of them, and none stands in a ring: the collector need not know them.
    """

    order_id: int
    user_id: int
    market_id: int
    client_order_id: str
    side: int
    order_type: int
    time_in_force: int
    price_ticks: int
    quantity_lots: int
    quote_quantity_atoms: int
    stp_mode: int
    executed_lots: int
    executed_quote_atoms: int
    status: int
    close_reason: int
    created_ms: int
    updated_ms: int
    working_ms: int
    # The other order of the self-trade whose prevention has ended this one, else 0.
    counter_order_id: int
    # Of it that met orders of the same user and traded with nobody (DECREMENT).
    prevented_lots: int = 0
    # Seq of the event that last did so.
    decrement_seq: int = 0
    # The prevented self-trade that has ended it: the seq of the event that first told of it, else 0.
    prevented_match_id: int = 0
    # None of a plain order.
    terms: OrderTerms | None = None

    @property
    def is_open(self) -> bool:
        """Whether more can happen to it."""
        return self.status in (codes.NEW, codes.PARTIALLY_FILLED)

    @property
    def open_lots(self) -> int:
        """What is left of it, or was when it ended."""
        return self.quantity_lots - self.executed_lots - self.prevented_lots

    @property
    def is_working(self) -> bool:
        """Whether it stands, or stood, among the orders that trade."""
        return self.terms is None or self.terms.state == codes.STATE_WORKING

    @property
    def order_list_id(self) -> int:
        """The list that it is part of, 0 when of none."""
        return 0 if self.terms is None else self.terms.order_list_id

    @property
    def status_name(self) -> str:
        """Its status as the API says it."""
        if self.status == codes.NEW and self.terms is not None and self.terms.state == codes.STATE_PENDING:
            return codes.ORDER_STATUS_NAMES[codes.PENDING_NEW]
        return codes.ORDER_STATUS_NAMES[self.status]


@dataclass(slots=True)
class OrderListRecord:
    """An order list. `orders`: its orders' ids and names, in their order. `done_ms` 0: not done."""

    order_list_id: int
    user_id: int
    market_id: int
    list_client_order_id: str
    contingency: int
    created_ms: int
    done_ms: int
    orders: dict[int, str] = field(default_factory=dict)


def accepted_order(
    event: OrderAccepted | OrderWithTermsAccepted, time_ms: int, terms: OrderTerms | None = None
) -> OrderRecord:
    """An order as it is once it has been accepted; `terms` of one that is more than a plain order."""
    works = terms is None or terms.state == codes.STATE_WORKING
    return OrderRecord(
        event.order_id,
        event.user_id,
        event.market_id,
        event.client_order_id,
        event.side,
        event.order_type,
        event.time_in_force,
        event.price_ticks,
        event.quantity_lots,
        event.quote_quantity_atoms,
        event.stp_mode,
        0,
        0,
        codes.NEW,
        0,
        time_ms,
        time_ms,
        time_ms if works else NOT_YET_MS,
        0,
        terms=terms,
    )
