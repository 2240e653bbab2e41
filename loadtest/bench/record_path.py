"""What the engine costs from a record of commands to a record of events, in one process and build.

Decoding, rules, holds, matching, settlement, events, hash and both records are all included; the log is not.
Times are CPU time of this process, so that a neighbour costs less; `yardstick_us` is a fixed piece of Python
in the same run, to compare runs on different machines and days by their ratio.
"""

import gc
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from exchange.contracts import codes
from exchange.contracts.codec import CommandOutcome, encode_commands, outcomes_of
from exchange.contracts.commands import (
    ActivateRules,
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    PlaceOrder,
)
from exchange.contracts.events import (
    CommandRejected,
    DepositCredited,
    Event,
    OrderAccepted,
    OrderClosed,
    TradeExecuted,
)
from loadtest.bench.workload import Traffic, time_ms_of
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import RULES_VERSION_MAX
from matching_engine.core.shard import Shard
from matching_engine.genesis import genesis_commands
from matching_engine.outbox import records_of

__all__ = ["RecordPath", "measured_books", "measured_kinds", "measured_traffic", "yardstick_us"]

COMMANDS_PER_RECORD: Final = 100
_ROUNDS: Final = 3
_YARDSTICK_STEPS: Final = 100_000
_MARKET: Final = 1
_USDT: Final = 3
_BTC: Final = 1
_MIDDLE_TICKS: Final = 5_000_000
_LOTS: Final = 1_000
_TAKER_ID: Final = 99_999
_FIRST_USER_ID: Final = 100_000
_ORDERS_PER_USER: Final = 100
_SAMPLED_COMMANDS: Final = 20_000


def yardstick_us() -> float:
    """CPU time of a small fixed step of plain Python: a tuple, a hash, a dictionary."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started, kept = time.process_time(), 0
        for number in range(_YARDSTICK_STEPS):
            kept += hash((number, number + 1)) & 1
            _ = {number: kept}
        best = min(best, time.process_time() - started)
    return best / _YARDSTICK_STEPS * 1e6


class RecordPath:
    """A shard at its place in the log, fed with records. `version`: of the rules, and so the log's format."""

    def __init__(self, version: int = RULES_VERSION_MAX) -> None:
        self.shard = Shard(Engine())
        setup = [c for c in genesis_commands() if not isinstance(c, ActivateRules)]
        # A leader's word that it is at work: no time passes here, so one is enough.
        self.send([ActivateRules(1, version), *setup, KeepTime(0, 0, time_ms_of(0))])

    def send(self, commands: Sequence[Command]) -> None:
        """Commands that are not measured."""
        for first in range(0, len(commands), COMMANDS_PER_RECORD):
            self.take(_records(commands[first : first + COMMANDS_PER_RECORD]))

    def outcomes(self, command: Command) -> list[CommandOutcome]:
        """What one command comes to."""
        record = encode_commands([command])
        return outcomes_of(self.shard.apply_record(self.shard.next_command_offset, time_ms_of(0), record))

    def take(self, records: Sequence[bytes]) -> int:
        """Decide records, pack what comes of them; how many bytes that is."""
        shard, size = self.shard, 0
        for record in records:
            links = shard.apply_record(shard.next_command_offset, time_ms_of(0), record)
            for packed in records_of(0, 1, links):
                size += len(packed)
        return size

    def seconds_of(self, records: Sequence[bytes]) -> float:
        """CPU time of deciding them."""
        started = time.process_time()
        self.take(records)
        return time.process_time() - started


def measured_traffic(seed: int, commands: int, version: int = RULES_VERSION_MAX) -> dict[str, Any]:
    """A busy market, a hundred commands a record and one: the best of some rounds, each begun anew."""
    traffic = Traffic(seed)
    setup = [c for c in traffic.setup() if isinstance(c, CreditDeposit)]
    taken = traffic.take(commands)
    found: dict[str, Any] = {"commands": commands, "rules_version": version}
    for per_record in (COMMANDS_PER_RECORD, 1):
        records = _records(taken, per_record)
        best, size = float("inf"), 0
        for _ in range(_ROUNDS):
            path = RecordPath(version)
            path.send(setup)
            with _QuietCollector():
                started = time.process_time()
                size = path.take(records)
                best = min(best, time.process_time() - started)
        name = "record_to_record" if per_record > 1 else "one_command_a_record"
        found[name] = {"us": best / commands * 1e6, "per_s": commands / best, "bytes": size / commands}
        if per_record > 1:
            found["event_hash"] = path.shard.chain.hex()
            found["trades"] = path.shard.engine.markets[_MARKET].next_trade_id - 1
    return found


def measured_kinds(count: int = _SAMPLED_COMMANDS // 2) -> dict[str, float]:
    """µs a command by its kind, each against a book of `count` orders in a hundred levels."""
    far, near, through = _MIDDLE_TICKS - 300, _MIDDLE_TICKS - 90, _MIDDLE_TICKS + 300
    kinds: dict[str, tuple[type[Event], Callable[[int], Command]]] = {
        "limit, rests": (
            OrderAccepted,
            lambda n: _order(10**6 + n, codes.BUY, far - n % 50, user_id=_maker(n)),
        ),
        "limit, fills one": (TradeExecuted, lambda n: _order(n, codes.BUY, through, codes.LIMIT, codes.IOC)),
        "market, fills one": (TradeExecuted, lambda n: _order(n, codes.BUY, 0, codes.MARKET, codes.IOC)),
        "fill or kill, not filled": (
            OrderClosed,
            lambda n: _order(n, codes.BUY, near, codes.LIMIT, codes.FOK),
        ),
        "cancel": (OrderClosed, lambda n: _cancel(_maker(n), n + 1)),
        "cancel all, of a hundred": (
            OrderClosed,
            lambda n: CancelAllOrders(n, _maker(n * _ORDERS_PER_USER), _MARKET, "", 0),
        ),
        "deposit": (DepositCredited, lambda n: CreditDeposit(n, _TAKER_ID, _USDT, 1_000, 10**9 + n)),
        "cancel, of what is not there": (CommandRejected, lambda n: _cancel(_maker(n), 10**12)),
    }
    found = {}
    for name, (expected, make) in kinds.items():
        # Of what fills, no more than rests on the other side.
        times = count // 2 // (_ORDERS_PER_USER if name.startswith("cancel all") else 1)
        best = float("inf")
        for _ in range(_ROUNDS):
            path = RecordPath()
            _fill_book(path, count, 100)
            records = _records([make(number) for number in range(times)])
            (outcome,) = path.outcomes(make(times))
            assert isinstance(outcome.events[-1].event, expected), f"{name} is no longer what it is called"
            with _QuietCollector():
                best = min(best, path.seconds_of(records))
        found[name] = best / times * 1e6
    return found


def measured_books(sizes: Sequence[int], sampled: int = _SAMPLED_COMMANDS) -> list[dict[str, Any]]:
    """µs of an order that comes or goes, by live orders and levels, and memory per live order.

    A deep book has a hundred levels, a wide one a level for each order, up to a hundred thousand a side.
    """
    found = []
    for live in sizes:
        for kind, levels in (("deep", 100), ("wide", min(live, 200_000))):
            gc.collect()
            before = _memory_bytes()
            path = RecordPath()
            _fill_book(path, live, levels)
            memory = _memory_bytes() - before
            next_id = path.shard.engine.next_order_id
            commands: list[Command] = []
            for number in range(sampled // 2):
                # Scattered over the whole book, between the levels that are there.
                price_ticks = _MIDDLE_TICKS - 101 - 2 * (number * 7_919 % levels)
                commands += [_order(number, codes.BUY, price_ticks), _cancel(_TAKER_ID, next_id + number)]
            records = _records(commands)
            with _QuietCollector():
                us = path.seconds_of(records) / len(commands) * 1e6
            assert path.shard.engine.next_order_id == next_id + sampled // 2, "every order was accepted"
            assert len(path.shard.engine.orders) == live, "and cancelled"
            row = {"live": live, "book": kind, "levels": levels, "us": us, "bytes_per_order": memory / live}
            found.append(row)
            del path
    return found


def _fill_book(path: RecordPath, live: int, levels: int) -> None:
    """So many orders, half of them bids, over so many levels; a hundred a user. One more user has money."""
    users = -(-live // _ORDERS_PER_USER)
    owners = [_TAKER_ID, *(_maker(user * _ORDERS_PER_USER) for user in range(users))]
    money: list[Command] = []
    for owner in owners:
        for asset_id in (_BTC, _USDT):
            money.append(CreditDeposit(1, owner, asset_id, 2**61 // (users + 1), len(money) + 1))
    path.send(money)
    half = max(1, levels // 2)
    for first in range(0, live, 10_000):
        orders: list[Command] = []
        for number in range(first, min(live, first + 10_000)):
            away = 100 + 2 * (number // 2 * 7_919 % half)
            side = codes.BUY if number % 2 else codes.SELL
            price_ticks = _MIDDLE_TICKS + (away if side == codes.SELL else -away)
            orders.append(_order(number, side, price_ticks, user_id=_maker(number)))
        path.send(orders)
    assert len(path.shard.engine.orders) == live, "every order rests"


def _order(
    number: int,
    side: int,
    price_ticks: int,
    order_type: int = codes.LIMIT,
    time_in_force: int = codes.GTC,
    user_id: int = 0,
) -> PlaceOrder:
    user_id = user_id or _TAKER_ID
    kind = side, order_type, time_in_force, price_ticks
    return PlaceOrder(number, user_id, _MARKET, f"o{number}", *kind, _LOTS, 0, codes.STP_EXPIRE_MAKER, 0)


def _cancel(user_id: int, order_id: int) -> CancelOrder:
    return CancelOrder(order_id, user_id, _MARKET, order_id, "", "", codes.CANCEL_ANY, 0)


def _maker(number: int) -> int:
    return _FIRST_USER_ID + number // _ORDERS_PER_USER


def _records(commands: Sequence[Command], per_record: int = COMMANDS_PER_RECORD) -> list[bytes]:
    return [encode_commands(commands[i : i + per_record]) for i in range(0, len(commands), per_record)]


def _memory_bytes() -> int:
    """What this process has in memory now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class _QuietCollector:
    """No garbage collection meanwhile: the engine's process has frozen its heap and makes no cycles.

    What somebody has frozen before stays so: else each collection to come looks through it.
    """

    def __enter__(self) -> None:
        self._found_frozen = gc.get_freeze_count() > 0
        gc.collect()
        gc.freeze()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()
        if not self._found_frozen:
            gc.unfreeze()
