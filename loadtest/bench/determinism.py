"""One log, every build and hash seed, and every snapshot: the same events and the same state.

`python -m loadtest.bench.determinism --commands 10000000` (`make determinism COMMANDS=`). Two seeded
workloads, a busy market and every kind of mischief (a tenth as long), are decided through `Shard` by the
interpreted and the compiled engine under three values of PYTHONHASHSEED: event hash and state hash have
to be equal. Then snapshots at random points: each is restored and carried on to the next one, and must
arrive at the same hashes there; so every snapshot plus its tail is the full replay (invariant I12).
"""

import hashlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from matching_engine import build

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
HASH_SEEDS = ("0", "1", "4711")
COMMANDS_PER_RECORD = 100
MISCHIEF_SHARE = 10
WORKER_DEADLINE_S = 6 * 3600.0
console = Console()


def main(
    commands: Annotated[int, typer.Option(min=1_000, help="Commands of the busy market")] = 10_000_000,
    snapshots: Annotated[int, typer.Option(min=1, help="Random points of each workload")] = 100,
    seed: Annotated[int, typer.Option(help="Of the workloads and of the points")] = 7,
    report: Annotated[Path | None, typer.Option(help="Write a Markdown report here")] = None,
    worker: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Hold all runs against each other. Exit code 0 only if everything is equal."""
    if worker:
        print(json.dumps(_work(worker, commands, snapshots, seed)))
        return
    started = time.monotonic()
    rows: list[dict[str, Any]] = []
    for workload, count in (("traffic", commands), ("mischief", commands // MISCHIEF_SHARE)):
        with tempfile.TemporaryDirectory(prefix="determinism-") as folder:
            rows += _hold_equal(workload, count, snapshots, seed, Path(folder))
    problems = [row for row in rows if not row["equal"]]
    text = _markdown(rows, commands, seed, time.monotonic() - started)
    console.print(text, markup=False, highlight=False)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(text, encoding="utf-8")
    raise typer.Exit(1 if problems else 0)


def _hold_equal(workload: str, count: int, snapshots: int, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Run every build under every hash seed, two at a time, then the snapshots of the first one."""
    kinds = ["interpreted"] if build.can_compile() else ["compiled", "interpreted"]
    runs = [(kind, hash_seed) for kind in kinds for hash_seed in HASH_SEEDS]

    def run(position: int) -> dict[str, Any]:
        kind, hash_seed = runs[position]
        console.print(f"{workload}: {count:,} commands, {kind}, PYTHONHASHSEED={hash_seed} ...")
        keep = str(folder) if position == 0 else ""
        return _run_worker(f"{workload}:{kind}:replay:{keep}", hash_seed, count, snapshots, seed)

    with ThreadPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        results = list(pool.map(run, range(len(runs))))
    rows = []
    for (kind, hash_seed), result in zip(runs, results, strict=True):
        equal = all(result[name] == results[0][name] for name in ("seq", "event_hash", "state_hash"))
        rows.append({"workload": workload, "run": f"{kind}, hash seed {hash_seed}", "equal": equal, **result})
    console.print(f"{workload}: restoring {snapshots} snapshots ...")
    restored = _run_worker(f"{workload}:{kinds[0]}:restore:{folder}", "2", count, snapshots, seed)
    equal = restored["event_hash"] == results[0]["event_hash"] and not restored["wrong"]
    equal = equal and restored["state_hash"] == results[0]["state_hash"]
    name = f"{kinds[0]}, from {restored['snapshots']} snapshots to the next"
    return [*rows, {"workload": workload, "run": name, "equal": equal, **restored}]


def _run_worker(what: str, hash_seed: str, count: int, snapshots: int, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "loadtest.bench.determinism", "--worker", what]
    command += ["--commands", str(count), "--snapshots", str(snapshots), "--seed", str(seed)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        timeout=WORKER_DEADLINE_S,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _work(what: str, count: int, snapshots: int, seed: int) -> dict[str, Any]:
    """One run in a process of its own: `workload:build:replay|restore:folder`."""
    workload, kind, task, folder = what.split(":", 3)
    build.activate(kind)
    # Whatever imports the contracts comes after the choice of the build.
    from matching_engine.core.engine import Engine
    from matching_engine.core.shard import Shard
    from matching_engine.core.state import from_rows
    from matching_engine.snapshots import state_bytes

    records = _records(workload, count, seed)
    total = -(-count // COMMANDS_PER_RECORD)
    points = set(random.Random(seed).sample(range(1, total), min(snapshots, total - 1)))
    shard = Shard(Engine())
    started, wrong, restored = time.perf_counter(), 0, 0
    for offset, (timestamp_ms, record) in enumerate(records):
        if offset in points and folder:
            path = Path(folder, f"{offset}")
            if task == "replay":
                path.write_bytes(state_bytes(shard))
            else:
                body = path.read_bytes()
                wrong += body != state_bytes(shard)
                shard = from_rows(msgspec.msgpack.decode(body), Engine())
                restored += 1
        shard.apply_record(offset, timestamp_ms, record)
    return {
        "seq": shard.engine.seq,
        "event_hash": shard.chain.hex(),
        "state_hash": hashlib.sha256(state_bytes(shard)).hexdigest(),
        "wrong": wrong,
        "snapshots": restored,
        "seconds": time.perf_counter() - started,
    }


def _records(workload: str, count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """(timestamp_ms, bytes) of the command log's records."""
    from exchange.contracts.codec import encode_commands
    from exchange.contracts.commands import KeepTime, LeaderElected, Malformed
    from loadtest.bench.workload import Mischief, Traffic, time_ms_of

    source: Traffic | Mischief = Traffic(seed) if workload == "traffic" else Mischief(seed)
    epoch = 0
    yield time_ms_of(0), encode_commands(source.setup())
    for position in range(0, count, COMMANDS_PER_RECORD):
        commands = source.take(min(COMMANDS_PER_RECORD, count - position))
        # What cannot be encoded cannot be on a log either.
        sendable = [command for command in commands if not isinstance(command, Malformed)]
        time_ms = time_ms_of(position)
        yield time_ms, encode_commands([KeepTime(0, epoch, time_ms), *sendable])
        epoch += sum(isinstance(command, LeaderElected) for command in sendable)


def _markdown(rows: list[dict[str, Any]], commands: int, seed: int, seconds: float) -> str:
    verdict = "all equal" if all(row["equal"] for row in rows) else "NOT EQUAL"
    lines = [
        "# Determinism",
        "",
        f"{commands:,} commands of a busy market, {commands // MISCHIEF_SHARE:,} of mischief, seed {seed}; "
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"{seconds:,.0f} s in all. Verdict: **{verdict}**.",
        "",
        "| workload | run | events | event hash | state hash | s | equal |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["workload"], row["run"], f"{row['seq']:,}", f"`{row['event_hash'][:16]}`"]
        cells += [f"`{row['state_hash'][:16]}`", f"{row['seconds']:.0f}", "yes" if row["equal"] else "**no**"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)
