"""Seeded streams of engine commands: `Traffic` as a busy market sends it, `Mischief` as nobody should.

Both need no engine: they are equal for equal seeds, whatever the build that reads them.
"""

import random
from collections import deque
from collections.abc import Iterator
from itertools import islice

from exchange.contracts import codes
from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    LeaderElected,
    Malformed,
    PlaceOrder,
    RegisterAsset,
    RegisterMarket,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
)
from matching_engine.genesis import genesis_commands

__all__ = ["START_MS", "Mischief", "Traffic", "time_ms_of"]

START_MS = 1_700_000_000_000
_COMMANDS_PER_MS = 100
_FIRST_USER_ID = 1_001
_FUNDED_ASSETS = (1, 2, 3)
_BTCUSDT = 1


def time_ms_of(position: int) -> int:
    """The log's stamp for the command at `position` of a stream."""
    return START_MS + position // _COMMANDS_PER_MS


class Traffic:
    """One busy market: 45 % orders that rest, 13 % that cross, 42 % cancellations.

    The price walks; makers quote up to 2 USDT away from it. Cancellations name orders by id, which the
    generator knows because every order of its own is accepted; some were filled meanwhile and are
    refused, as in life.
    """

    def __init__(self, seed: int, users: int = 1_000) -> None:
        self._random = random.Random(seed)
        self._users = users
        self._mid_ticks = 5_000_000
        self._next_order_id = 1
        self._resting: list[tuple[int, int]] = []  # (order_id, user_id), perhaps filled by now

    def setup(self) -> list[Command]:
        """The markets, and money for everybody."""
        commands = genesis_commands()
        for number in range(self._users * len(_FUNDED_ASSETS)):
            user_id = _FIRST_USER_ID + number // len(_FUNDED_ASSETS)
            asset_id = _FUNDED_ASSETS[number % len(_FUNDED_ASSETS)]
            amount = 2**61 // self._users
            commands.append(CreditDeposit(number + 1, user_id, asset_id, amount, number + 1))
        return commands

    def take(self, count: int) -> list[Command]:
        """The next `count` commands."""
        return [self._next() for _ in range(count)]

    def _next(self) -> Command:
        draw = self._random.random()
        if draw < 0.42 and self._resting:
            return self._cancellation()
        return self._order(crosses=draw > 0.87)

    def _cancellation(self) -> Command:
        resting = self._resting
        position = int(self._random.random() * len(resting))
        order_id, user_id = resting[position]
        resting[position] = resting[-1]
        resting.pop()
        return CancelOrder(order_id, user_id, _BTCUSDT, order_id, "", "", codes.CANCEL_ANY, 0)

    def _order(self, crosses: bool) -> Command:
        draw = self._random.random
        if draw() < 0.05:
            self._mid_ticks += 1 if draw() < 0.5 else -1
        side = codes.BUY if draw() < 0.5 else codes.SELL
        away_ticks = 1 + int(draw() * draw() * 200)
        if crosses:
            away_ticks, lots = -20, 100 + int(draw() * 2_000)
        else:
            lots = 100 + int(draw() * 2_000)
        price_ticks = self._mid_ticks + (away_ticks if side == codes.SELL else -away_ticks)
        order_id = self._next_order_id
        self._next_order_id += 1
        user_id = _FIRST_USER_ID + int(draw() * self._users)
        if not crosses:
            self._resting.append((order_id, user_id))
        return PlaceOrder(
            order_id,
            user_id,
            _BTCUSDT,
            f"o{order_id}",
            side,
            codes.LIMIT,
            codes.IOC if crosses else codes.GTC,
            price_ticks,
            lots,
            0,
            codes.STP_EXPIRE_MAKER,
            0,
        )


class Mischief:
    """Few users, three small books, every kind of command, and wrong values in every field.

    Prices lie close together and names repeat, so that orders meet, cancel and collide often.
    """

    def __init__(self, seed: int, users: int = 5) -> None:
        self._random = random.Random(seed)
        self._users = [_FIRST_USER_ID + number for number in range(users)]
        self._count = 0
        self._sent_orders: deque[tuple[int, int, str]] = deque(maxlen=60)  # (user, market, name)
        self._sent_withdrawals: deque[int] = deque(maxlen=10)

    def setup(self) -> list[Command]:
        """The markets, registered out of order, and scarce money for everybody."""
        genesis = genesis_commands()
        assets = [c for c in genesis if not isinstance(c, RegisterMarket)]
        markets = [c for c in genesis if isinstance(c, RegisterMarket)]
        for market in markets:
            market.open_orders_max = 20
        deposits: list[Command] = [
            CreditDeposit(
                1, user_id, asset_id, 3_000_000 * 10**8 if asset_id == 3 else 50 * 10**8, number + 1
            )
            for number, (user_id, asset_id) in enumerate((u, a) for u in self._users for a in (1, 2, 3))
        ]
        return [*assets, *reversed(markets), *deposits]

    def take(self, count: int) -> list[Command]:
        """The next `count` commands."""
        return list(islice(self, count))

    def __iter__(self) -> Iterator[Command]:
        while True:
            self._count += 1
            yield self._next()

    def _next(self) -> Command:
        r = self._random
        makers = (
            (60.0, self._order),
            (20.0, self._cancellation),
            (1.0, self._cancel_all),
            (7.0, self._money),
            (0.3, self._administration),
            (2.0, self._nonsense),
        )
        (make,) = r.choices([m for _, m in makers], [weight for weight, _ in makers])
        return make()

    @staticmethod
    def time_ms_of(position: int) -> int:
        """The log's stamp for a command: fast enough that average prices grow old within a test."""
        return START_MS + position * 40

    def _market_id(self) -> int:
        return self._random.choices((1, 2, 3, 99), (60, 20, 19, 1))[0]

    def _name(self) -> str:
        return f"n{self._random.randrange(200)}"

    def _valid_until_ms(self) -> int:
        """Mostly no limit, sometimes one that has just passed or soon will."""
        if self._random.random() < 0.9:
            return 0
        return self.time_ms_of(self._count) + self._random.randrange(-5_000, 50_000)

    def _order(self) -> Command:
        r = self._random
        market_id = self._market_id()
        side = r.choice((codes.BUY, codes.SELL))
        order_type = r.choices((codes.LIMIT, codes.MARKET, codes.LIMIT_MAKER), (75, 15, 10))[0]
        tif = r.choices((codes.GTC, codes.IOC, codes.FOK), (70, 15, 15))[0]
        middle = {1: 5_000_000, 2: 300_000, 3: 6_000}.get(market_id, 5)
        away = r.randrange(-4, 20)
        price = middle - away if side == codes.BUY else middle + away
        lots, quote = r.randrange(100, 4_000), 0
        if order_type == codes.MARKET:
            price = 0
            if r.random() < 0.5:
                lots, quote = 0, r.randrange(1, 5_000 * 10**8)
        elif order_type == codes.LIMIT_MAKER and r.random() < 0.95:
            tif = codes.GTC
        if r.random() < 0.02:
            price, lots = r.choice(((price * 100, lots), (price, 1), (price, 10**12), (2**63 - 1, 2**63 - 1)))
        stp = r.randrange(codes.STP_NONE, codes.STP_EXPIRE_BOTH + 1)
        user_id, name = r.choice(self._users), self._name()
        self._sent_orders.append((user_id, market_id, name))
        return PlaceOrder(
            self._count,
            user_id,
            market_id,
            name,
            side,
            order_type,
            tif,
            price,
            lots,
            quote,
            stp,
            self._valid_until_ms(),
        )

    def _cancellation(self) -> Command:
        r = self._random
        order_id, name = 0, self._name()
        user_id, market_id = r.choice(self._users), self._market_id()
        draw = r.random()
        if draw < 0.7 and self._sent_orders:
            user_id, market_id, name = r.choice(self._sent_orders)
        elif draw < 0.95:
            order_id, name = self._count * 4 // 10 + r.randrange(-60, 60), ""
        else:
            order_id = self._count * 4 // 10 + r.randrange(-60, 60)
        restriction = r.choices(
            (codes.CANCEL_ANY, codes.CANCEL_ONLY_NEW, codes.CANCEL_ONLY_PARTIALLY_FILLED), (8, 1, 1)
        )[0]
        return CancelOrder(
            self._count,
            user_id,
            market_id,
            max(0, order_id),
            name,
            "cancel",
            restriction,
            self._valid_until_ms(),
        )

    def _cancel_all(self) -> Command:
        return CancelAllOrders(
            self._count, self._random.choice(self._users), self._market_id(), "all", self._valid_until_ms()
        )

    def _money(self) -> Command:
        r = self._random
        user_id, asset_id = r.choice(self._users), r.choices((1, 2, 3, 77), (30, 30, 38, 2))[0]
        number = r.choice(self._sent_withdrawals) if self._sent_withdrawals else 1
        kind = r.randrange(4)
        if kind == 0:
            amount = r.choice((0, 1, 10**8, 10**10, 2**63 - 1))
            return CreditDeposit(
                self._count, user_id, asset_id, amount, 1_000 + self._count - r.randrange(30)
            )
        if kind == 1:
            amount = r.choice((0, 1, 10**7, 10**9, 2**63 - 1))
            number = max(1, self._count - r.randrange(10))
            self._sent_withdrawals.append(number)
            return ReserveWithdrawal(self._count, user_id, asset_id, amount, number, "address")
        if kind == 2:
            return SettleWithdrawal(self._count, number)
        return ReleaseWithdrawal(self._count, number)

    def _administration(self) -> Command:
        r = self._random
        kind = r.choices((0, 1, 2, 3), (2, 6, 1, 1))[0]  # trading comes back soon: the rest needs it
        if kind == 0:
            mode = r.choice((0, codes.MODE_CANCEL_ONLY, codes.MODE_POST_ONLY, codes.MODE_HALTED, 9))
            return SetTradingMode(self._count, self._market_id(), mode)
        if kind == 1:
            return SetTradingMode(self._count, 0, codes.MODE_TRADING)
        if kind == 2:
            return LeaderElected(self._count, "engine-1", self._count)
        return RegisterAsset(self._count, r.randrange(0, 6), "XRP", r.randrange(0, 20))

    def _nonsense(self) -> Command:
        """A command whose integers are drawn from the borders of what a log can carry."""
        r = self._random

        def any_int() -> int:
            return r.choice((0, 1, 2, 3, 4, 5, 7, 1_001, 1_000_000, 2**31, 2**62, 2**63 - 1))

        kind = r.randrange(6)
        if kind == 0:
            return Malformed(any_int(), "bytes", 0)
        if kind == 1:
            codes_drawn = [any_int() for _ in range(7)]
            head = (self._count, any_int(), r.randrange(4), self._name())
            codes_drawn.append(any_int())
            return PlaceOrder(*head, *codes_drawn)
        if kind == 2:
            return CancelOrder(self._count, any_int(), any_int(), any_int(), "", "", any_int(), any_int())
        if kind == 3:
            return RegisterMarket(self._count, r.randrange(0, 9), "AB", *[any_int() for _ in range(18)])
        if kind == 4:
            return RegisterAsset(self._count, any_int(), "", any_int())
        return SetTradingMode(self._count, any_int(), any_int())
