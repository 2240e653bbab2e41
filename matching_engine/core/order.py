"""An open order, linked into the queue of its price level, and the trader who sent it."""

from exchange.contracts.codes import BUY
from matching_engine.core.accounts import Balance


class Trader:
    """One user in one market: what its orders work with, at hand without a search.

    `named`: the user's open orders in all markets by client order id. `open_orders` counts this
    market's. Nothing here is state of its own: it is made again from balances and orders.
    """

    def __init__(self, user_id: int, base: Balance, quote: Balance, named: "dict[str, Order]") -> None:
        self.user_id = user_id
        self.base = base
        self.quote = quote
        self.named = named
        self.open_orders = 0

    def pays(self, side: int) -> Balance:
        """The balance that an order of this side holds and spends."""
        return self.quote if side == BUY else self.base


class Order:
    """An order that the book may hold.

    `open_lots` is what may still trade. `held_atoms` is what the trader's balance holds for it (BUY:
    quote, SELL: base). `previous`, `next` and `level` are the book's own: the queue is kept in the
    orders themselves, so that a cancellation costs the same at any depth; `next_in_slot` is that of the
    table by id.
    """

    def __init__(
        self,
        order_id: int,
        user_id: int,
        market_id: int,
        client_order_id: str,
        side: int,
        price_ticks: int,
        quantity_lots: int,
        open_lots: int,
        stp_mode: int,
        held_atoms: int,
        trader: Trader,
    ) -> None:
        self.order_id = order_id
        self.user_id = user_id
        self.market_id = market_id
        self.client_order_id = client_order_id
        self.side = side
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.open_lots = open_lots
        self.stp_mode = stp_mode
        self.held_atoms = held_atoms
        self.trader = trader
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None
        self.next_in_slot: Order | None = None


class Level:
    """All orders at one price, oldest first: `count` of them, `lots` is the sum of their open lots.

    `better` and `worse`: the levels next to it, as the ladder keeps them.
    """

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.lots = 0
        self.count = 0
        self.head: Order | None = None
        self.tail: Order | None = None
        self.better: Level | None = None
        self.worse: Level | None = None
