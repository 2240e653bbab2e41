"""Measure the matching engine alone, both builds, on one core: `python -m loadtest.bench.engine`.

Each build runs in a process of its own. What counts is from record to record (loadtest/bench/record_path.py):
by the busy market of the workload, by kind of command, and by books of a thousand to a million orders. A
shorter pass times each command's decision by itself, with objects in and out. Last, both builds decide the
same log through `Shard`, and must end in the same event hash and state. `--json FILE` keeps all figures.
"""

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from matching_engine import build

_COMMANDS_PER_RECORD = 100
_WORKER_DEADLINE_S = 1_800.0


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
    for table in (_traffic_table(results), _kinds_table(results), _books_table(results)):
        console.print(table)
    if options.json is not None:
        report = {"machine": _machine(), "seed": options.seed, "builds": results}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
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
    parser.add_argument("--commands", type=int, default=300_000, help="commands of the busy market")
    parser.add_argument(
        "--live", type=_sizes, default=(1_000, 100_000, 1_000_000), help="orders in the books"
    )
    parser.add_argument("--json", type=Path, help="keep all figures in this file")
    parser.add_argument("--timed", type=int, default=200_000, help="commands in the latency pass")
    parser.add_argument("--hashed", type=int, default=100_000, help="commands in the agreement pass")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--worker", choices=("interpreted", "compiled"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


def _run_worker(kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "loadtest.bench.engine", *sys.argv[1:], "--worker", kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=_WORKER_DEADLINE_S, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    build.activate(kind)
    # Whatever imports the contracts comes after the choice of the build.
    from loadtest.bench import record_path

    event_hash, state = _hashes(options)
    return {
        "yardstick_us": record_path.yardstick_us(),
        "traffic": record_path.measured_traffic(options.seed, options.commands),
        "traffic_format_1": record_path.measured_traffic(options.seed, options.commands, version=2),
        "kinds_us": record_path.measured_kinds(),
        "books": record_path.measured_books(options.live),
        "decisions_ns": _decisions(options),
        "hashed": options.hashed,
        "event_hash": event_hash,
        "state_hash": state,
    }


def _decisions(options: argparse.Namespace) -> dict[str, int]:
    """How long single decisions take, with objects in and out and the collector off."""
    from loadtest.bench.workload import Traffic, time_ms_of
    from matching_engine.core.engine import Engine

    engine, traffic = Engine(), Traffic(options.seed)
    for command in traffic.setup():
        engine.apply(command, time_ms_of(0))
    commands, clock = traffic.take(options.timed), time.perf_counter_ns
    durations: list[int] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    for command in commands:
        before = clock()
        apply_one(engine, command, time_ms_of(0))
        durations.append(clock() - before)
    gc.enable()
    durations.sort()
    ranks = {"p50": 500, "p99": 990, "p99.9": 999}
    found = {name: durations[len(durations) * rank // 1_000] for name, rank in ranks.items()}
    return {**found, "max": durations[-1]}


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


def _traffic_table(results: dict[str, dict[str, Any]]) -> Table:
    title = "a busy market, from record to record, one core"
    table = Table(title=title, caption="yardsticks: ratio to a fixed step of Python in the same run")
    headings = ("build", "format", "commands/s", "µs", "one a record: µs", "bytes", "yardsticks")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "build" else "right")
    for kind, result in results.items():
        for form, name in (("2", "traffic"), ("1", "traffic_format_1")):
            many, single = result[name]["record_to_record"], result[name]["one_command_a_record"]
            figures = (
                f"{many['per_s']:,.0f}",
                f"{many['us']:.2f}",
                f"{single['us']:.2f}",
                f"{many['bytes']:.0f}",
            )
            table.add_row(kind, form, *figures, f"{many['us'] / result['yardstick_us']:.1f}")
    return table


def _kinds_table(results: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="by kind of command, µs from record to record")
    table.add_column("kind")
    for kind in results:
        table.add_column(kind, justify="right")
    for name in next(iter(results.values()))["kinds_us"]:
        table.add_row(name, *(f"{result['kinds_us'][name]:.2f}" for result in results.values()))
    for name in next(iter(results.values()))["decisions_ns"]:
        cells = (f"{result['decisions_ns'][name] / 1_000:.1f}" for result in results.values())
        table.add_row(f"one decision alone, {name}", *cells)
    return table


def _books_table(results: dict[str, dict[str, Any]]) -> Table:
    table = Table(title="an order that comes or goes, by the book it meets")
    for heading in ("live orders", "book", "levels"):
        table.add_column(heading, justify="right")
    for kind in results:
        table.add_column(f"{kind}, µs", justify="right")
        table.add_column("bytes an order", justify="right")
    for rows in zip(*(result["books"] for result in results.values()), strict=True):
        cells = [cell for row in rows for cell in (f"{row['us']:.2f}", f"{row['bytes_per_order']:.0f}")]
        table.add_row(f"{rows[0]['live']:,}", rows[0]["book"], f"{rows[0]['levels']:,}", *cells)
    return table


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
