"""Measure the matching engine alone, both builds, on one core: `python -m loadtest.bench.engine`.

Each build runs in a process of its own. Commands are made before the clock starts, 10,000 at a time;
besides the mean over all, the median chunk is given, which a busy neighbour disturbs less. Holds,
matching, fees, settlement and the event objects are all included, the log, the codec and the hash are
not. A second, shorter pass times each command by itself. Last, both builds decide the same log through
`Shard`, and must end in the same event hash and state.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from matching_engine import build

_CHUNK_COMMANDS = 10_000
_COMMANDS_PER_RECORD = 100
_WORKER_DEADLINE_S = 600.0


def main() -> None:
    """Run both builds and print one table."""
    options = _options()
    if options.worker:
        print(json.dumps(_measure(options.worker, options)))
        return
    console = Console()
    console.print(f"{_machine()}; {options.commands:,} commands, seed {options.seed}")
    results: dict[str, dict[str, Any]] = {}
    for kind in ("interpreted", "compiled"):
        problem = build.can_compile() if kind == "compiled" else None
        if problem:
            console.print(f"compiled: not measured, {problem}")
            continue
        console.print(f"measuring the {kind} engine ...")
        results[kind] = _run_worker(kind)
    console.print(_table(results))
    hashes = {(r["event_hash"], r["state_hash"]) for r in results.values()}
    some = next(iter(results.values()))
    if len(hashes) > 1:
        console.print("[red]the builds disagree[/red]:", hashes)
        sys.exit(1)
    agreeing = " and ".join(results)
    console.print(
        f"{agreeing}: event hash {some['event_hash']}, state hash {some['state_hash'][:16]}…"
        f" after {some['hashed']:,} commands" + (", equal in both builds" if len(results) > 1 else "")
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loadtest.bench.engine", description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000_000, help="commands in the throughput pass")
    parser.add_argument("--timed", type=int, default=200_000, help="commands in the latency pass")
    parser.add_argument("--hashed", type=int, default=100_000, help="commands in the agreement pass")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--worker", choices=("interpreted", "compiled"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _run_worker(kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "loadtest.bench.engine", *sys.argv[1:], "--worker", kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_WORKER_DEADLINE_S, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    build.activate(kind)
    # Whatever imports the contracts comes after the choice of the build.
    from loadtest.bench.workload import Traffic, time_ms_of
    from matching_engine.core.engine import Engine

    def fresh() -> tuple[Engine, Traffic]:
        engine, traffic = Engine(), Traffic(options.seed)
        for command in traffic.setup():
            engine.apply(command, time_ms_of(0))
        return engine, traffic

    engine, traffic = fresh()
    gc.collect()
    gc.freeze()
    gc.disable()
    done = events = refused = 0
    chunk_ns: list[int] = []
    while done < options.commands:
        size = min(_CHUNK_COMMANDS, options.commands - done)
        commands, apply, now_ms = traffic.take(size), engine.apply, time_ms_of(done)
        seq_before = engine.seq
        started = time.perf_counter_ns()
        for command in commands:
            apply(command, now_ms)
        chunk_ns.append(time.perf_counter_ns() - started)
        events += engine.seq - seq_before
        done += size
    depth = [len(engine.markets[1].book.orders(side)) for side in (1, 2)]
    trades = engine.markets[1].next_trade_id - 1

    engine, traffic = fresh()
    commands, clock = traffic.take(options.timed), time.perf_counter_ns
    durations: list[int] = []
    for command in commands:
        before = clock()
        outcome = apply_one(engine, command, time_ms_of(0))
        durations.append(clock() - before)
        refused += type(outcome[0]).__name__ == "CommandRejected"
    durations.sort()
    event_hash, state = _hashes(options)
    return {
        "per_s": done / (sum(chunk_ns) / 1e9),
        "median_per_s": min(_CHUNK_COMMANDS, done) / (sorted(chunk_ns)[len(chunk_ns) // 2] / 1e9),
        "events_per_command": events / done,
        "trades": trades,
        "resting_orders": sum(depth),
        "refused_share": refused / options.timed,
        "p50_ns": durations[len(durations) // 2],
        "p99_ns": durations[len(durations) * 99 // 100],
        "p999_ns": durations[len(durations) * 999 // 1000],
        "max_ns": durations[-1],
        "hashed": options.hashed,
        "event_hash": event_hash,
        "state_hash": state,
    }


def apply_one(engine: Any, command: Any, now_ms: int) -> Any:
    """One command, as the timed pass calls it."""
    return engine.apply(command, now_ms)


def _hashes(options: argparse.Namespace) -> tuple[str, str]:
    """Event and state hash after the same log."""
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import KeepTime
    from loadtest.bench.workload import Traffic, time_ms_of
    from matching_engine.core.engine import Engine
    from matching_engine.core.shard import Shard
    from matching_engine.snapshots import state_hash

    traffic = Traffic(options.seed)
    commands = [*traffic.setup(), *traffic.take(options.hashed)]
    shard = Shard(Engine())
    for offset, first in enumerate(range(0, len(commands), _COMMANDS_PER_RECORD)):
        time_ms, batch = time_ms_of(first), commands[first : first + _COMMANDS_PER_RECORD]
        # A leader is at work all the time.
        shard.apply_record(offset, time_ms, encode_commands([KeepTime(0, 0, time_ms), *batch]))
    return shard.chain.hex(), state_hash(shard)


def _table(results: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="matching engine, one core", caption=_mix(results))
    for heading in ("build", "commands/s", "median chunk", "p50 µs", "p99 µs", "p99.9 µs", "max µs"):
        table.add_column(heading, justify="left" if heading == "build" else "right")
    for kind, r in results.items():
        times = (f"{r[name] / 1_000:,.1f}" for name in ("p50_ns", "p99_ns", "p999_ns", "max_ns"))
        table.add_row(kind, f"{r['per_s']:,.0f}", f"{r['median_per_s']:,.0f}", *times)
    return table


def _mix(results: dict[str, dict[str, Any]]) -> str:
    r = next(iter(results.values()))
    return (
        f"{r['events_per_command']:.2f} events a command, {r['trades']:,} trades, "
        f"{r['refused_share']:.1%} refused, {r['resting_orders']:,} orders on the book at the end"
    )


def _machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":")[1].strip() for line in file if "model name" in line), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
