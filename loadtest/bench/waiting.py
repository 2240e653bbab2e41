"""What 100,000 waiting stops and icebergs cost a crossing order: `python -m loadtest.bench.waiting [BUILD]`.

Two engines decide the same orders, each of which trades with one other; in one of them all the others wait
around: stop orders and trailing stops on both sides, icebergs deep in the book. Both are timed in turns, in
one process, by processor time, so that a busy machine slows both.
"""

import gc
import json
import random
import sys
import time
from typing import Any

from matching_engine import build

WAITING = 100_000
ROUNDS = 7
PAIRS = 2_000
MIDDLE = 5_000_000


def measured(waiting: int = WAITING, rounds: int = ROUNDS, pairs: int = PAIRS) -> dict[str, Any]:
    """Microseconds of a crossing order with nothing around, and with `waiting` orders; and their ratio."""
    empty, full = _engine(0), _engine(waiting)
    took: dict[str, list[float]] = {"empty": [], "full": []}
    draw = random.Random(7)
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        seed = draw.randrange(2**32)
        for name, engine in (("empty", empty), ("full", full)):
            took[name].append(_seconds(engine, seed, pairs) / pairs * 1e6)
    # The smallest of each: what else runs on the machine only ever adds.
    figures = {name: min(values) for name, values in took.items()}
    ratios = sorted(full / empty for empty, full in zip(took["empty"], took["full"], strict=True))
    return {**figures, "ratio": figures["full"] / figures["empty"], "median_ratio": ratios[len(ratios) // 2]}


def _seconds(engine: Any, seed: int, pairs: int) -> float:
    """Processor time of the crossing orders alone."""
    from exchange.contracts import codes
    from exchange.contracts.commands import PlaceOrder

    draw = random.Random(seed)
    commands = []
    for number in range(pairs):
        price = MIDDLE + draw.randint(-40, 40)
        for user_id, side in ((1, codes.SELL), (2, codes.BUY)):
            name = f"{seed}-{number}-{side}"
            commands.append(
                PlaceOrder(
                    1, user_id, 1, name, side, codes.LIMIT, codes.GTC, price, 100, 0, codes.STP_NONE, 0
                )
            )
    took = 0.0
    for resting, crossing in zip(commands[::2], commands[1::2], strict=True):
        engine.apply(resting, 1)
        started = time.process_time_ns()
        events = engine.apply(crossing, 1)
        took += time.process_time_ns() - started
        assert len(events) == 2, "it trades with one other, and sends nobody to work"
    return took / 1e9


def _engine(waiting: int) -> Any:
    """An exchange with one market in which a trade has been, and so many orders around its price."""
    from exchange.contracts.commands import (
        ActivateRules,
        CreditDeposit,
        RegisterAsset,
        RegisterMarket,
    )
    from matching_engine.core.engine import Engine
    from matching_engine.core.engine_limits import EngineLimits

    many = 10**7
    engine = Engine(limits=EngineLimits(open_orders_max=many, algo_orders_max=many, iceberg_orders_max=many))
    setup = [
        ActivateRules(1, 4),
        RegisterAsset(1, 1, "BASE", 8),
        RegisterAsset(1, 2, "QUOTE", 8),
        RegisterMarket(
            1, 1, "BASEQUOTE", 1, 2, 10**6, 1_000, 1, 10**9, 1, 10**9, 10**9, 1, 2**62,
            9 * 10**6, 1, 9 * 10**6, 1, many, 1_000, 1_000,
        ),
    ]  # fmt: skip
    setup += [
        CreditDeposit(1, user, asset, 2**58, 2 * user + asset) for user in (1, 2, 3) for asset in (1, 2)
    ]
    for command in setup:
        engine.apply(command, 1)
    _seconds(engine, 0, 50)
    for number in range(waiting):
        (event, *more) = engine.apply(_waiting_order(number), 1)
        assert not more
        assert type(event).__name__ == "OrderWithTermsAccepted", "it is accepted, and waits"
    return engine


def _waiting_order(number: int) -> Any:
    """Stops, trailing stops and icebergs in turn, away from the middle."""
    from exchange.contracts import codes
    from exchange.contracts.order_commands import PlaceOrderWithTerms

    side = codes.BUY if number % 2 else codes.SELL
    away = 1_000 + number * 7 % 400_000
    order_type, price, lots, stop, bips, iceberg = codes.LIMIT, 0, 1_000, 0, 0, 0
    if number % 5 < 2:
        price, iceberg = MIDDLE + (-away if side == codes.BUY else away), 100
    elif number % 5 < 4:
        order_type, stop = codes.STOP_LOSS, MIDDLE + (away if side == codes.BUY else -away)
    else:
        order_type, bips = codes.STOP_LOSS, 10 + number % 1_900
    return PlaceOrderWithTerms(
        1, 3, 1, f"w{number}", side, order_type, codes.GTC, price, lots, 0, codes.STP_NONE, 0, stop, bips,
        iceberg, 0, 0, 0, 0,
    )  # fmt: skip


if __name__ == "__main__":
    build.activate(sys.argv[1] if len(sys.argv) > 1 else "auto")
    print(json.dumps({"build": build.active_build().kind, **measured()}))
