"""An open order, linked into the queue of its price level, and the trader who sent it.

Orders, traders and levels stand in rings of links, and there are as many as a million of them. The compiled
ones are none of the garbage collector's (`acyclic`, ADR 0050): the engine's end cuts their links instead.
"""

from mypy_extensions import mypyc_attr, u8

from exchange.contracts.codes import BUY, GTC, LIMIT, MARKET, STATE_WORKING, STOP_LOSS, TAKE_PROFIT
from matching_engine.core.accounts import Balance
from matching_engine.core.fee_table import Standing


@mypyc_attr(acyclic=True)
class Trader:
    """One user in one market: what its orders work with, at hand without a search.

    `named`: the user's open orders in all markets by client order id. `is_admitted`: whether the market
    keeps it (`EngineState.admit`). `open_orders` counts this market's. Nothing here is state of its own: it
    is made again from balances and orders.
    """

    def __init__(
        self, user_id: int, market_id: int, base: Balance, quote: Balance, named: "dict[str, Order]"
    ) -> None:
        self.user_id = user_id
        self.market_id = market_id
        self.base = base
        self.quote = quote
        self.named = named
        self.is_admitted = False
        self.open_orders = 0
        # What the open BUY orders among them would bring (core/position.py).
        self.open_buy_lots = 0
        # Of those, and the lists that they stand in (rules version 4).
        self.algo_orders = 0
        self.iceberg_orders = 0
        self.order_lists = 0
        # Where the account stands with its fees; None: it pays the market's (rules version 5).
        self.standing: Standing | None = None

    def pays(self, side: int) -> Balance:
        """The balance that an order of this side holds and spends."""
        return self.quote if side == BUY else self.base


@mypyc_attr(acyclic=True, free_list_len=1)
class Order:
    """An order that the book may hold. Whose it is, and where, its `trader` says.

    `open_lots` is what may still trade. `held_atoms` is what the trader's balance holds for it (BUY:
    quote, SELL: base). `previous`, `next` and `level` are the book's own: the queue is kept in the
    orders themselves, so that a cancellation costs the same at any depth; `next_in_slot` is that of the
    table by id. `terms`: what only some orders have. Of an iceberg `open_lots` is what the book shows.
    """

    def __init__(
        self,
        order_id: int,
        client_order_id: str,
        side: u8,
        price_ticks: int,
        quantity_lots: int,
        open_lots: int,
        stp_mode: u8,
        held_atoms: int,
        trader: Trader,
    ) -> None:
        self.order_id = order_id
        self.client_order_id = client_order_id
        # Codes below 256, side by side in one word.
        self.side = side
        self.stp_mode = stp_mode
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.open_lots = open_lots
        self.held_atoms = held_atoms
        self.trader = trader
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None
        self.next_in_slot: Order | None = None
        self.terms: Terms | None = None

    @property
    def user_id(self) -> int:
        """Whose it is."""
        return self.trader.user_id

    @property
    def market_id(self) -> int:
        """Where it is."""
        return self.trader.market_id

    def let_go(self) -> None:
        """Cut its links: its engine has come to its end."""
        self.level = self.previous = self.next = self.next_in_slot = None
        self.terms = None

    def lots_left(self) -> int:
        """What may still trade, hidden lots included."""
        terms = self.terms
        return self.open_lots if terms is None else self.open_lots + terms.hidden_lots

    def is_untouched(self) -> bool:
        """Whether nothing of it has traded."""
        terms = self.terms
        prevented = 0 if terms is None else terms.prevented_lots
        return self.lots_left() + prevented == self.quantity_lots


class Terms:
    """What an order has that is more than a plain one (ADR 0037); fields as in `PlaceOrderWithTerms`.

    `state`: codes.STATE_*. `hold_ticks`: the price at which a BUY holds, for each lot. `hidden_lots`: of an
    iceberg on the book, what it does not show. `prevented_lots`: lost to self-trade prevention. `is_known`:
    whether the indexes hold the order: from the beginning if it waits, else once it rests.
    """

    def __init__(
        self,
        order_type: int,
        time_in_force: int,
        stop_price_ticks: int,
        trailing_bips: int,
        iceberg_lots: int,
        peg_price_type: int,
        peg_offset_levels: int,
        state: int,
        hold_ticks: int,
        hidden_lots: int,
        prevented_lots: int,
        amends: int,
    ) -> None:
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.stop_price_ticks = stop_price_ticks
        self.trailing_bips = trailing_bips
        self.iceberg_lots = iceberg_lots
        self.peg_price_type = peg_price_type
        self.peg_offset_levels = peg_offset_levels
        self.state = state
        self.hold_ticks = hold_ticks
        self.hidden_lots = hidden_lots
        self.prevented_lots = prevented_lots
        self.amends = amends
        self.is_known = False
        self.counted_lots = 0  # of the trader's `open_buy_lots`
        self.order_list: OrderList | None = None

    def waits_for_price(self) -> bool:
        """Whether it is of a kind that a price sends to work."""
        return self.order_type >= STOP_LOSS

    def is_market(self) -> bool:
        """Whether it works at any price."""
        return self.order_type in (MARKET, STOP_LOSS, TAKE_PROFIT)


def plain_terms(is_known: bool, counted_lots: int) -> Terms:
    """The terms of a plain order to which something has happened that has to be kept."""
    terms = Terms(LIMIT, GTC, 0, 0, 0, 0, 0, STATE_WORKING, 0, 0, 0, 0)
    terms.is_known = is_known
    terms.counted_lots = counted_lots
    return terms


class OrderList:
    """Orders that decide about each other. `orders`: those of them that do, in the order of their legs.

    `working`: of an OTO that is not filled yet, the order that the others wait for.
    """

    def __init__(
        self, order_list_id: int, user_id: int, market_id: int, list_client_order_id: str, contingency: int
    ) -> None:
        self.order_list_id = order_list_id
        self.user_id = user_id
        self.market_id = market_id
        self.list_client_order_id = list_client_order_id
        self.contingency = contingency
        self.orders: list[Order] = []
        self.working: Order | None = None
        self.is_due = False
        self.is_done = False


@mypyc_attr(acyclic=True, free_list_len=1)
class Level:
    """All orders at one price, oldest first: `count` of them, `lots` is the sum of their open lots.

    `icebergs`: how many of them may show more lots once those are gone. `key`, `better` and `worse`: its
    place and the levels next to it, as the ladder keeps them.
    """

    def __init__(self, price_ticks: int) -> None:
        self.price_ticks = price_ticks
        self.key = 0
        self.lots = 0
        self.count = 0
        self.icebergs = 0
        self.head: Order | None = None
        self.tail: Order | None = None
        self.better: Level | None = None
        self.worse: Level | None = None

    def append(self, order: Order) -> None:
        """Queue an order behind all others."""
        tail = self.tail
        if tail is None:
            self.head = order
        else:
            tail.next = order
            order.previous = tail
        self.tail = order
        self.lots += order.open_lots
        self.count += 1
        order.level = self

    def unlink(self, order: Order) -> None:
        """Take an order out, wherever it stands in the queue."""
        before, after = order.previous, order.next
        if before is None:
            self.head = after
        else:
            before.next = after
        if after is None:
            self.tail = before
        else:
            after.previous = before
        order.previous = order.next = order.level = None
        self.lots -= order.open_lots
        self.count -= 1
