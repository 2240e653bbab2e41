"""What a commit's engine costs, by means that this one and older ones have: `loadtest.bench.beside` runs it.

It runs in the folder of a checkout, on that checkout's own code, and imports nothing that came later than
commit 5ba96b3 without asking for it. Prints one JSON object; times are processor time of this process.
"""

import argparse
import gc
import json
import resource
import time
from typing import Any

COMMANDS_PER_RECORD = 100
MARKET = 1
USDT, BTC = 3, 1
MIDDLE_TICKS = 5_000_000
LOTS = 1_000
FIRST_USER_ID = 100_000
ORDERS_PER_USER = 100
ROUNDS = 3


def main() -> None:
    """Measure the compiled build of the checkout that is first on the path."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--live", type=int, required=True)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    from matching_engine import build

    build.activate(options.build)
    found = {
        "yardstick_us": _yardstick_us(),
        # First, in fresh memory: what others have let go would be taken again and not be counted.
        **_book(options.live),
        **_busy_market(options.commands),
        **_decisions(options.commands),
        **_replay(options.commands),
    }
    print(json.dumps(found))


class Path:
    """A shard that is fed with records, and packs what comes of them as its process does."""

    def __init__(self) -> None:
        from matching_engine.core.engine import Engine
        from matching_engine.core.shard import Shard
        from matching_engine.genesis import genesis_commands

        self.shard = Shard(Engine())
        self.take(_records([*genesis_commands(), *_word()]))

    def take(self, records: list[bytes], packs: bool = True) -> int:
        """Decide records; how many bytes of events come of them, if they are packed."""
        from loadtest.bench.workload import time_ms_of
        from matching_engine.outbox import records_of

        size, shard, now_ms = 0, self.shard, time_ms_of(0)
        for record in records:
            decided = shard.apply_record(shard.next_command_offset, now_ms, record)
            if packs:
                size += sum(len(packed) for packed in records_of(0, 1, decided))
        return size


def _yardstick_us() -> float:
    """A fixed step of plain Python, as in `loadtest.bench.record_path`."""
    best = float("inf")
    for _ in range(ROUNDS):
        started, kept = time.process_time(), 0
        for number in range(100_000):
            kept += hash((number, number + 1)) & 1
            _ = {number: kept}
        best = min(best, time.process_time() - started)
    return best / 100_000 * 1e6


def _busy_market(count: int) -> dict[str, Any]:
    from loadtest.bench.workload import Traffic

    traffic = Traffic(7)
    setup = [command for command in traffic.setup() if type(command).__name__ == "CreditDeposit"]
    commands = traffic.take(count)
    found: dict[str, Any] = {}
    for name, per_record in (("record_to_record", COMMANDS_PER_RECORD), ("one_command_a_record", 1)):
        records = _records(commands, per_record)
        best, size, path = float("inf"), 0, Path()
        for _ in range(ROUNDS):
            path = Path()
            path.take(_records(setup))
            _freeze()
            started = time.process_time()
            size = path.take(records)
            best = min(best, time.process_time() - started)
            gc.unfreeze()
        found[f"{name}_us"] = best / count * 1e6
        found[f"{name}_bytes"] = size / count
        found["trades"] = path.shard.engine.markets[MARKET].next_trade_id - 1
    return found


def _decisions(count: int) -> dict[str, Any]:
    """Single decisions with objects in and out, the collector on, on a settled heap."""
    from loadtest.bench.workload import Traffic, time_ms_of
    from matching_engine.core.engine import Engine

    engine, traffic = Engine(), Traffic(7)
    for command in traffic.setup():
        engine.apply(command, time_ms_of(0))
    commands, clock, now_ms = traffic.take(count), time.thread_time_ns, time_ms_of(0)
    idle, durations = [], []
    gc.collect()
    gc.freeze()
    for command in commands:
        before = clock()
        idle.append(clock() - before)
        before = clock()
        engine.apply(command, now_ms)
        durations.append(clock() - before)
    gc.unfreeze()
    durations.sort()
    # Asking this clock is a call of the system, half as long as a decision.
    asked = sorted(idle)[count // 2]
    ranks = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    found = {f"decision_{name}_ns": durations[int(count * rank)] - asked for name, rank in ranks.items()}
    return {**found, "decision_worst_ns": durations[-1] - asked}


def _replay(count: int) -> dict[str, Any]:
    """A recovery's work: records in, the hash out, nothing published; orders far away, each cancelled."""
    from exchange.contracts import codes
    from exchange.contracts.commands import CancelOrder, Command

    commands: list[Command] = []
    for number in range(count // 2):
        name = f"cold-{number}"
        commands.append(_order(number, codes.BUY, 1_000_000 + number % 1_000, name, FIRST_USER_ID))
        cancel = number, FIRST_USER_ID, MARKET, 0, name, f"x{number}", codes.CANCEL_ANY, 0
        commands.append(CancelOrder(*cancel))
    records, path = _records(commands), Path()
    path.take(_deposits([FIRST_USER_ID], 2**61))
    _freeze()
    started = time.process_time()
    path.take(records, packs=False)
    took_s = time.process_time() - started
    gc.unfreeze()
    assert path.shard.engine.next_order_id > count // 2, "every order was accepted"
    return {"replay_us": took_s / len(commands) * 1e6}


def _book(live: int) -> dict[str, Any]:
    """Orders that come and go among `live` ones, each with a level of its own; memory; a state's copy."""
    from exchange.contracts import codes
    from exchange.contracts.commands import CancelOrder, Command
    from matching_engine.snapshots import capture

    users = [FIRST_USER_ID + user for user in range(-(-live // ORDERS_PER_USER) + 1)]
    gc.collect()
    before = _memory_bytes()
    path = Path()
    path.take(_deposits(users, 2**61 // len(users)))
    for first in range(0, live, 10_000):
        orders: list[Command] = []
        for number in range(first, min(live, first + 10_000)):
            away = 100 + 2 * (number // 2 * 7_919 % max(1, live // 2))
            side = codes.BUY if number % 2 else codes.SELL
            price_ticks = MIDDLE_TICKS + (away if side == codes.SELL else -away)
            orders.append(_order(number, side, price_ticks, "", users[number // ORDERS_PER_USER]))
        path.take(_records(orders))
    memory = _memory_bytes() - before
    assert len(path.shard.engine.orders) == live, "every order rests"
    moved: list[Command] = []
    next_id = path.shard.engine.next_order_id
    for number in range(10_000):
        price_ticks = MIDDLE_TICKS - 101 - 2 * (number * 7_919 % (live // 2))
        moved.append(_order(number, codes.BUY, price_ticks, "", users[-1]))
        moved.append(CancelOrder(number, users[-1], MARKET, next_id + number, "", "", codes.CANCEL_ANY, 0))
    records = _records(moved)
    _freeze()
    started = time.process_time()
    path.take(records)
    us = (time.process_time() - started) / len(moved) * 1e6
    started = time.process_time()
    snapshot = capture(path.shard)
    copied_s = time.process_time() - started
    gc.unfreeze()
    started = time.process_time()
    gc.collect()
    collected_s = time.process_time() - started
    return {
        "live": live,
        "wide_book_us": us,
        "bytes_per_live_order": memory / live,
        "copy_of_state_ms": copied_s * 1e3,
        "full_collection_ms": collected_s * 1e3,
        "copy_of_state_bytes": len(snapshot.body),
    }


def _order(number: int, side: int, price_ticks: int, name: str, user_id: int) -> Any:
    from exchange.contracts import codes
    from exchange.contracts.commands import PlaceOrder

    kind = side, codes.LIMIT, codes.GTC, price_ticks
    return PlaceOrder(
        number + 1, user_id, MARKET, name or f"o{number}", *kind, LOTS, 0, codes.STP_EXPIRE_MAKER, 0
    )


def _deposits(users: list[int], amount_atoms: int) -> list[bytes]:
    from exchange.contracts.commands import CreditDeposit

    pairs = [(user, asset) for user in users for asset in (BTC, USDT)]
    return _records([CreditDeposit(1, *pair, amount_atoms, n + 1) for n, pair in enumerate(pairs)])


def _records(commands: list[Any], per_record: int = COMMANDS_PER_RECORD) -> list[bytes]:
    """As a gateway sends them."""
    from exchange.contracts.codec import encode_commands

    return [
        encode_commands(commands[first : first + per_record]) for first in range(0, len(commands), per_record)
    ]


def _word() -> list[Any]:
    """A leader's word that it is at work, where there are such: no time passes here, so one is enough."""
    from exchange.contracts import commands as kinds
    from loadtest.bench.workload import time_ms_of

    return [kinds.KeepTime(0, 0, time_ms_of(0))] if hasattr(kinds, "KeepTime") else []


def _memory_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _freeze() -> None:
    """The collector need not look at what is there now: as in a process that has started."""
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    main()
