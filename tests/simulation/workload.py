"""What traders want: their commands, and what they have been told."""

import copy
import random

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.commands import (
    ActivateRules,
    Command,
    CreditDeposit,
    LeaderElected,
    Malformed,
    PlaceOrder,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
)
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.order_commands import PlaceOrderWithTerms
from loadtest.bench.workload import Mischief
from matching_engine.core.rules_version import RULES_VERSION_MAX
from tests.fee_traffic import fee_command
from tests.property.terms_traffic import TermsTraffic
from tests.simulation import asking

__all__ = ["Workload"]

_MUCH_ATOMS = 3 * 2**60
_COMES_AND_GOES = 10**9
_ABOUT_FEES = 0.04  # of all commands


def _much_money_comes_and_goes() -> list[Command]:
    """More in the sum than may be inside at once, which it never is."""
    comings: list[Command] = []
    for number in range(_COMES_AND_GOES, _COMES_AND_GOES + 2):
        comings += [
            CreditDeposit(0, 1_001, 3, _MUCH_ATOMS, number),
            ReserveWithdrawal(0, 1_001, 3, _MUCH_ATOMS, number, ""),
            SettleWithdrawal(0, number),
        ]
    return comings


# Of market 1, and of all: some refuse part of what comes, most nothing.
_FILTERS = (
    (codes.FILTER_PRICE, 1, (1, 10**8, 1)),
    (codes.FILTER_PRICE, 1, (1, 10**8, 2)),
    (codes.FILTER_LOT_SIZE, 1, (1, 10**9, 1)),
    (codes.FILTER_LOT_SIZE, 1, (1, 10**9, 5)),
    (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0, (0, 0, 0)),
    (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 0, (9, 0, 0)),
    (codes.FILTER_MAX_POSITION, 1, (0, 0, 0)),
    (codes.FILTER_MAX_POSITION, 1, (101 * 10**8, 0, 0)),
    (codes.FILTER_MAX_NUM_ALGO_ORDERS, 1, (20, 0, 0)),
)
_COMMANDS_PER_FILTER = 25


def _with_filters(commands: list[Command], draw: random.Random) -> list[Command]:
    """The same commands, while filters change; near the end a market is closed for good, now and then two."""
    mixed: list[Command] = []
    for number, command in enumerate(commands):
        mixed.append(command)
        if draw.randrange(_COMMANDS_PER_FILTER) == 0:
            kind, market_id, values = draw.choice(_FILTERS)
            mixed.append(SetFilter(0, kind, market_id, 0, *values, 0))
        if number == len(commands) * 5 // 6:
            ends = draw.choice(((), (2,), (3,), (1, 3)))
            mixed += [SetTradingMode(0, market_id, codes.MODE_RETIRED) for market_id in ends]
    return mixed


def _stops_that_are_due_at_once() -> list[Command]:
    """Stops to buy at one price above all others, and a purchase that goes through it."""
    stop_price, lots = 5_000_020, 100
    stops: list[Command] = [
        PlaceOrderWithTerms(
            0, 1_003, 1, f"due-{number}", codes.BUY, codes.STOP_LOSS, codes.GTC, 0, lots, 0, codes.STP_NONE,
            0, stop_price, 0, 0, 0, 0, 0, 0,
        )
        for number in range(3)
    ]  # fmt: skip
    through = [
        PlaceOrder(
            0, user_id, 1, f"through-{user_id}", side, codes.LIMIT, codes.GTC, stop_price, many, 0,
            codes.STP_NONE, 0,
        )
        for user_id, side, many in ((1_001, codes.SELL, 40 * lots), (1_002, codes.BUY, 200 * lots))
    ]  # fmt: skip
    return [*stops, *through]


class Workload:
    """A queue of commands that survives every process, as traders do."""

    def __init__(self, seed: str, commands: int, *, activates: bool) -> None:
        """`activates`: the history begins under older rules, and the newest come somewhere within."""
        self._name = seed
        self.random = random.Random(f"{seed}/traders")
        source = Mischief(self.random.randrange(2**32), users=4)
        deposits = [command for command in source.setup() if isinstance(command, CreditDeposit)]
        mischief = [c for c in source.take(commands) if not isinstance(c, Malformed | LeaderElected)]
        mischief = self._with_orders_of_every_kind(mischief)
        mischief = _with_filters(mischief, random.Random(f"{seed}/administrators"))
        if activates:
            place = self.random.randrange(commands // 2)
            mischief.insert(place, ActivateRules(0, RULES_VERSION_MAX))
        deposits += asking.deposits()
        first = [*deposits, *mischief, *_much_money_comes_and_goes(), *_stops_that_are_due_at_once()]
        self._queue: list[Command] = first[::-1]
        self._probes = 0
        self.told: list[tuple[int, CommandOutcome]] = []
        self.unknown = 0

    def _with_orders_of_every_kind(self, commands: list[Command]) -> list[Command]:
        """The same commands, and among them orders with terms about the same prices, and fees."""
        traffic = TermsTraffic(
            self.random.randrange(2**32), users=(1_001, 1_002, 1_003), markets=(1,), price=5_000_000, lots=100
        )
        mixed: list[Command] = []
        about_fees = random.Random(f"{self._name}/fees")
        for command in commands:
            mixed.append(command)
            mixed += traffic.take(self.random.choice((0, 1)))
            if about_fees.random() < _ABOUT_FEES:
                mixed.append(fee_command(about_fees, 0, (1_001, 1_002, 1_003), (1, 2), (1, 2, 3)))
        return mixed

    @property
    def is_sent(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._queue

    def next(self) -> Command | None:
        """The next command, None when there is none (now)."""
        return self._queue.pop() if self._queue else None

    def again(self, command: Command) -> None:
        """A trader who does not know what became of a command sends it again, sooner or later."""
        place = self.random.randint(0, len(self._queue))
        # A copy: the gateway may still hold the first one.
        self._queue.insert(place, copy.copy(command))

    def probe(self, count: int) -> None:
        """Add commands that a healthy exchange must answer."""
        for _ in range(count):
            self._probes += 1
            self._queue.append(CreditDeposit(0, 1_001, 1, 1, 2 * 10**9 + self._probes))
