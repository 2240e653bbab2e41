"""Random commands about orders of every kind, from a seed: few users, few prices, so that all meets."""

import random
from collections.abc import Sequence

from exchange.contracts import codes
from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    LeaderElected,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    SetTradingMode,
)
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_kinds import FILTER_KINDS
from exchange.contracts.order_commands import (
    AmendOrder,
    CancelOrderList,
    OrderLeg,
    PlaceOrderList,
    PlaceOrderWithTerms,
)
from tests.fee_traffic import fee_command

MARKETS = (1, 2)
USERS = (11, 12, 13, 14)
PRICE = 1_000
START_MS = 1_700_000_000_000


def genesis() -> list[Command]:
    """Two markets of one pair of assets each, and money for everybody, at times too little."""
    commands: list[Command] = [ActivateRules(1, 5), LeaderElected(1, "one", 1)]
    commands += [RegisterAsset(1, number, f"A{number}", 2) for number in (1, 2, 3)]
    commands += [
        RegisterMarket(
            1, market, f"A{market}A3", market, 3, 10, 10, 1, 10**6, 1, 10**6, 10**6, 1, 10**12,
            5_000_000, 200_000, 5_000_000, 200_000, 60, 1_000, 2_000,
        )
        for market in MARKETS
    ]  # fmt: skip
    deposits = [(user, asset) for user in USERS for asset in (1, 2, 3)]
    return commands + [
        CreditDeposit(1, user, asset, 40_000 if asset < 3 else 4_000_000, number)
        for number, (user, asset) in enumerate(deposits, 1)
    ]


# Of `genesis`: about a thousand ticks, up to forty lots, some hundred thousand atoms of quote.
_FILTER_VALUES: dict[int, list[tuple[int, int, int, int]]] = {
    codes.FILTER_PRICE: [(1, 10**6, 1, 0), (1, 10**6, 1, 0), (1, 10**6, 2, 0), (900, 1_100, 1, 0)],
    codes.FILTER_LOT_SIZE: [(1, 10**6, 1, 0), (1, 10**6, 1, 0), (1, 30, 1, 0), (2, 10**6, 2, 0)],
    codes.FILTER_MARKET_LOT_SIZE: [(1, 10**6, 1, 0), (3, 13, 1, 0), (1, 10**6, 5, 0)],
    codes.FILTER_NOTIONAL: [(1, 1, 10**12, 1), (2_000, 0, 30_000, 0), (2_000, 1, 30_000, 1)],
    codes.FILTER_MIN_NOTIONAL: [(2_500, 0, 0, 0), (2_500, 1, 0, 0)],
    codes.FILTER_PERCENT_PRICE: [(1_010_000, 990_000, 0, 0), (1_100_000, 900_000, 0, 0)],
    codes.FILTER_PERCENT_PRICE_BY_SIDE: [
        (5_000_000, 200_000, 5_000_000, 200_000), (1_020_000, 980_000, 1_010_000, 990_000),
    ],
    codes.FILTER_MAX_NUM_ORDERS: [(60, 0, 0, 0), (8, 0, 0, 0)],
    codes.FILTER_MAX_NUM_ALGO_ORDERS: [(15, 0, 0, 0), (4, 0, 0, 0)],
    codes.FILTER_MAX_NUM_ICEBERG_ORDERS: [(10, 0, 0, 0), (3, 0, 0, 0)],
    codes.FILTER_MAX_NUM_ORDER_LISTS: [(8, 0, 0, 0), (3, 0, 0, 0)],
    codes.FILTER_MAX_NUM_ORDER_AMENDS: [(3, 0, 0, 0), (1, 0, 0, 0)],
    codes.FILTER_ICEBERG_PARTS: [(100, 0, 0, 0), (5, 0, 0, 0)],
    codes.FILTER_TRAILING_DELTA: [(10, 2_000, 10, 2_000), (20, 200, 30, 100)],
    codes.FILTER_MAX_POSITION: [(40_500, 0, 0, 0), (39_000, 0, 0, 0)],
    codes.FILTER_EXCHANGE_MAX_NUM_ORDERS: [(12, 0, 0, 0), (7, 0, 0, 0)],
    codes.FILTER_EXCHANGE_MAX_NUM_ALGO_ORDERS: [(9, 0, 0, 0), (4, 0, 0, 0)],
    codes.FILTER_EXCHANGE_MAX_NUM_ICEBERG_ORDERS: [(5, 0, 0, 0), (2, 0, 0, 0)],
    codes.FILTER_EXCHANGE_MAX_NUM_ORDER_LISTS: [(2, 0, 0, 0), (1, 0, 0, 0)],
    codes.FILTER_MAX_ASSET: [(250, 0, 0, 0), (90, 0, 0, 0)],
}  # fmt: skip
_CAN_BE_OFF = frozenset(kind for kind, of in FILTER_KINDS.items() if of.can_be_off)


class TermsTraffic:
    """Endless random commands. `names`: how many names the orders share, so that they meet by name too.

    `users`, `markets`, `price`: of another exchange than `genesis` makes; there a step of quantity is `lots`,
    the price stays where it is, and there are orders alone.
    """

    def __init__(
        self,
        seed: int,
        names: int = 40,
        *,
        users: Sequence[int] = USERS,
        markets: Sequence[int] = MARKETS,
        price: int = PRICE,
        lots: int = 1,
    ) -> None:
        self._draw = random.Random(seed)
        self._names = names
        self._deposit_id = 1_000
        self._users, self._markets = users, markets
        self._lots_step = lots
        self._has_orders_alone = users is not USERS
        self._middle = price
        self._now_ms = START_MS

    def take(self, count: int) -> list[Command]:
        """The next commands."""
        return [self.next() for _ in range(count)]

    def next(self) -> Command:
        """The next command."""
        draw = self._draw
        self._now_ms += draw.randrange(2_000)
        if draw.random() < 0.05 and not self._has_orders_alone:
            self._middle = max(40, self._middle + draw.randint(-25, 25))
        kinds = (
            (30, self._plain), (24, self._with_terms), (12, self._list), (7, self._cancel),
            (2, self._cancel_all), (3, self._cancel_list), (9, self._amend), (3, self._deposit),
            (4, self._keep_time), (2, self._mode), (4, self._filter), (4, self._fees),
        )[: 7 if self._has_orders_alone else None]  # fmt: skip
        (kind,) = draw.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
        return kind()

    def _fees(self) -> Command:
        return fee_command(self._draw, 5, self._users, self._markets, (1, 2, 3))

    def _user(self) -> int:
        return self._draw.choice(self._users)

    def _market(self) -> int:
        return self._draw.choices(self._markets, (5, *[1] * (len(self._markets) - 1)))[0]

    def _name(self) -> str:
        return f"n{self._draw.randrange(self._names)}"

    def _price(self, width: int = 12) -> int:
        return max(1, self._middle + self._draw.randint(-width, width))

    def _lots(self) -> int:
        return self._lots_step * self._draw.choice((1, 2, 3, 5, 8, 13, 40))

    def _stp(self) -> int:
        return self._draw.choices(range(1, 7), (6, 1, 2, 1, 3, 1))[0]

    def _tif(self) -> int:
        return self._draw.choices((codes.GTC, codes.IOC, codes.FOK), (8, 1, 1))[0]

    def _plain(self) -> Command:
        draw = self._draw
        side = draw.choice((codes.BUY, codes.SELL))
        order_type = draw.choices((codes.LIMIT, codes.MARKET, codes.LIMIT_MAKER), (7, 3, 2))[0]
        if order_type == codes.MARKET:
            by_quote = draw.random() < 0.4
            lots, quote = (0, draw.randrange(1, 60_000)) if by_quote else (self._lots(), 0)
            price, tif = 0, codes.GTC
        else:
            lots, quote, price = self._lots(), 0, self._price()
            tif = self._tif() if order_type == codes.LIMIT else codes.GTC
        return PlaceOrder(
            5, self._user(), self._market(), self._name(), side, order_type, tif, price, lots, quote,
            self._stp(), 0,
        )  # fmt: skip

    def _leg(self, side: int, order_type: int, lots: int) -> OrderLeg:
        """A leg of this type, mostly one that can be accepted."""
        draw = self._draw
        waits = order_type >= codes.STOP_LOSS
        any_price = order_type in (codes.MARKET, codes.STOP_LOSS, codes.TAKE_PROFIT)
        price = 0 if any_price else self._price()
        peg = offset = stop = bips = iceberg = 0
        tif = (
            self._tif() if order_type in (codes.LIMIT, codes.STOP_LOSS_LIMIT, codes.TAKE_PROFIT_LIMIT) else 1
        )
        if waits:
            rises = (side == codes.BUY) == (order_type in (codes.STOP_LOSS, codes.STOP_LOSS_LIMIT))
            away = draw.randint(-1, 14)
            stop = max(1, self._middle + (away if rises else -away))
            if draw.random() < 0.35:
                bips = draw.choice((10, 30, 30, 50, 100, 200, 1_000))
                stop = 0 if draw.random() < 0.6 else stop
        if not any_price and draw.random() < 0.1:
            price, peg = 0, draw.choice((codes.PEG_PRIMARY, codes.PEG_MARKET))
            offset = draw.choice((0, 0, 1, 2))
        if not any_price and lots > 2 * self._lots_step and draw.random() < 0.4:
            iceberg, tif = draw.randrange(1, lots // self._lots_step) * self._lots_step, codes.GTC
        return OrderLeg(
            self._name(), side, order_type, tif, price, lots, stop, bips, iceberg, draw.randrange(3), 0,
            peg, offset,
        )  # fmt: skip

    def _with_terms(self) -> Command:
        draw = self._draw
        side = draw.choice((codes.BUY, codes.SELL))
        order_type = draw.choices(range(1, 8), (5, 1, 2, 4, 4, 4, 4))[0]
        leg = self._leg(side, order_type, self._lots())
        return PlaceOrderWithTerms(
            5, self._user(), self._market(), leg.client_order_id, side, order_type, leg.time_in_force,
            leg.price_ticks, leg.quantity_lots, 0, self._stp(), 0, leg.stop_price_ticks, leg.trailing_bips,
            leg.iceberg_lots, leg.strategy_id, leg.strategy_type, leg.peg_price_type, leg.peg_offset_levels,
        )  # fmt: skip

    def _pair(self, side: int, lots: int) -> list[OrderLeg]:
        """The one above and the one below."""
        stop = self._draw.choice((codes.STOP_LOSS, codes.STOP_LOSS_LIMIT))
        take = self._draw.choice(
            (codes.LIMIT_MAKER, codes.LIMIT_MAKER, codes.TAKE_PROFIT, codes.TAKE_PROFIT_LIMIT)
        )
        above, below = (stop, take) if side == codes.BUY else (take, stop)
        legs = [self._leg(side, above, lots), self._leg(side, below, lots)]
        for leg, away in ((legs[0], 1), (legs[1], -1)):
            distance = away * self._draw.randint(1, 10)
            if leg.order_type == codes.LIMIT_MAKER and leg.price_ticks:
                leg.price_ticks = max(1, self._middle + distance)
            elif leg.stop_price_ticks:
                leg.stop_price_ticks = max(1, self._middle + distance)
        return legs

    def _list(self) -> Command:
        draw = self._draw
        side, lots = draw.choice((codes.BUY, codes.SELL)), self._lots()
        contingency = draw.choice(tuple(codes.CONTINGENCY_NAMES))
        if contingency in (codes.CONTINGENCY_OPO, codes.CONTINGENCY_OPOCO):
            legs = self._paid(contingency, lots)
        elif contingency == codes.CONTINGENCY_OCO:
            legs = self._pair(side, lots)
        else:
            legs = [self._leg(side, draw.choice((codes.LIMIT, codes.LIMIT_MAKER)), lots)]
            other = 3 - side if draw.random() < 0.8 else side
            if contingency == codes.CONTINGENCY_OTO:
                legs.append(self._leg(other, draw.randint(1, 7), lots))
            else:
                legs += self._pair(other, lots)
        name = f"l{draw.randrange(self._names)}"
        return PlaceOrderList(5, self._user(), self._market(), name, contingency, self._stp(), 0, legs)

    def _paid(self, contingency: int, lots: int) -> list[OrderLeg]:
        """A purchase, and what sells all of it."""
        draw = self._draw
        working = self._leg(codes.BUY, draw.choice((codes.LIMIT, codes.LIMIT, codes.LIMIT_MAKER)), lots)
        if contingency == codes.CONTINGENCY_OPO:
            pending = [self._leg(codes.SELL, draw.randint(1, 7), lots)]
        else:
            pending = self._pair(codes.SELL, lots)
        for leg in pending:
            leg.quantity_lots = 0 if draw.random() < 0.95 else leg.quantity_lots
        return [working, *pending]

    def _cancel(self) -> Command:
        restriction = self._draw.choices((0, 1, 2), (4, 1, 1))[0]
        return CancelOrder(5, self._user(), self._market(), 0, self._name(), "c", restriction, 0)

    def _cancel_all(self) -> Command:
        return CancelAllOrders(5, self._user(), self._market(), "", 0)

    def _cancel_list(self) -> Command:
        return CancelOrderList(
            5, self._user(), self._market(), 0, f"l{self._draw.randrange(self._names)}", "", 0
        )

    def _amend(self) -> Command:
        name = self._name()
        new_name = name if self._draw.random() < 0.7 else self._name()
        return AmendOrder(
            5, self._user(), self._market(), 0, name, new_name, self._draw.randint(1, 12) * self._lots_step, 0
        )

    def _deposit(self) -> Command:
        self._deposit_id += 1
        asset = self._draw.choice((1, 2, 3))
        amount = self._draw.randrange(1, 2_000 if asset < 3 else 200_000)
        return CreditDeposit(5, self._user(), asset, amount, self._deposit_id)

    def _keep_time(self) -> Command:
        return KeepTime(5, 1, self._now_ms)

    def _filter(self) -> Command:
        """A filter that refuses some of these orders, or none; of those that can be off, mostly that."""
        draw = self._draw
        kind = draw.choice(sorted(_FILTER_VALUES))
        values = draw.choice(_FILTER_VALUES[kind])
        if draw.random() < 0.8:
            values = (0, 0, 0, 0) if kind in _CAN_BE_OFF else _FILTER_VALUES[kind][0]
        of_market = kind <= codes.FILTER_MAX_POSITION
        asset = draw.choice((1, 2, 3)) if kind == codes.FILTER_MAX_ASSET else 0
        if asset == 3:
            values = (values[0] * 120, 0, 0, 0)
        return SetFilter(5, kind, self._market() if of_market else 0, asset, *values)

    def _mode(self) -> Command:
        mode = self._draw.choices((1, 2, 3, 4), (1, 1, 1, 60))[0]
        return SetTradingMode(5, self._market(), mode)
