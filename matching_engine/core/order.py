"""An open order, linked into the queue of its price level."""

from matching_engine.core.accounts import Balance


class Order:
    """An order that the book may hold.

    `open_lots` is what may still trade. `held_atoms` is what the account holds for it (BUY: quote,
    SELL: base), in the balance `pays`; what a trade brings goes to the balance `gets`. `previous`,
    `next` and `level` are the book's own: the queue is kept in the orders themselves, so that a
    cancellation costs the same at any depth.
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
        pays: Balance,
        gets: Balance,
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
        self.pays = pays
        self.gets = gets
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None


class Level:
    """All orders at one price, oldest first. `lots` is the sum of their open lots."""

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.lots = 0
        self.head: Order | None = None
        self.tail: Order | None = None
