"""What the watchers' command has found, as JSON for machines, and as Markdown and a plot for people."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from loadtest.processes import GENERATOR, WATCHERS
from loadtest.report import Verdict

__all__ = ["P99_MS_MAX", "PUBLISHERS", "Watched", "write_report"]

# The promise of ADR 0058.
P99_MS_MAX: Final = 150
# The process with the streams, by its name in each mode.
PUBLISHERS: Final = ("market_data", "local run")


class Watched(NamedTuple):
    """One row: the crowd, what was measured, the verdict on the orders, the publisher's peak memory."""

    way: str
    size: int
    measured: Mapping[str, Any]
    orders: Verdict
    memory_bytes: int
    machine_load: float

    def problems(self) -> list[str]:
        """What of the promises was missed."""
        found = [f"orders: {problem}" for problem in self.orders.problems]
        if not self.size:
            return found
        seen = self.measured["watchers"]
        if seen["open"] != self.size:
            found.append(f"{seen['open']} of {self.size} open {seen['refused'] or seen['ends']}")
        if seen["gaps"]:
            found.append(f"{seen['gaps']} gaps")
        if seen["p99_ms"] > P99_MS_MAX or not seen["messages"]:
            found.append(f"p99 {seen['p99_ms']} ms, promised {P99_MS_MAX}")
        return found

    def cpu_share(self, *names: str) -> float:
        """Of one core, by processes of these names."""
        used: Mapping[str, float] = self.measured["cpu_s"]
        return sum(used.get(name, 0.0) for name in names) / float(self.measured["seconds"])

    def line(self) -> str:
        """What matters in one line."""
        total = self.measured["total"]
        said = "held" if not self.problems() else "; ".join(self.problems())
        return (
            f"{self.way}, {self.size}: orders p50 {total['p50_ms']:.1f}, p99 {total['p99_ms']:.1f} ms, "
            f"publisher {self.cpu_share(*PUBLISHERS):.0%} of a core: {said}"
        )


def write_report(folder: Path, name: str, setting: Mapping[str, Any], rows: Sequence[Watched]) -> Path:
    """Write <name>.json, <name>.svg and <name>.md; returns the last one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = {
        "setting": dict(setting),
        "rows": [
            {**row._asdict(), "orders": row.orders.problems, "problems": row.problems()} for row in rows
        ],
    }
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    _plot(folder / f"{name}.svg", rows)
    lines = [
        f"# Clients of depth@100ms, {name.removeprefix('watchers-')}",
        "",
        "`python -m loadtest.watchers`: sockets on the three markets of the load, all of which change in",
        "every tick, beside the load test's requests. Everything is on the same cores: exchange, servers,",
        "requests and watchers. A delay counts from the event's `E` to the client, in whole milliseconds,",
        "rounded up; *from the tick* counts from the tenth of a second at which the tick was due.",
        "",
        *(f"- {key}: {value}" for key, value in setting.items()),
        "",
        f"![delays]({name}.svg)",
        "",
        "| way | clients | messages/s | p50 | p95 | p99 | longest | p99 from the tick | gaps | open | ended "
        "| orders p50 / p99, ms | held |",
        "|---|" + "--:|" * 11 + "---|",
        *(_delay_row(row) for row in rows),
        "",
        "Processor, % of a core, and memory. *Load*: that of the machine just before.",
        "",
        "| way | clients | publisher | us a message | gateway | watchers | generator | all else | memory, MB "
        "| connected in, s | load |",
        "|---|" + "--:|" * 10,
        *(_cost_row(row, rows) for row in rows),
    ]
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _delay_row(row: Watched) -> str:
    total, seen = row.measured["total"], row.measured["watchers"]
    orders = f"{total['p50_ms']:.1f} / {total['p99_ms']:.1f}"
    held = "yes" if not row.problems() else "; ".join(row.problems())
    if not row.size:
        return f"| {row.way} | 0 |{' |' * 9} {orders} | {held} |"
    return (
        f"| {row.way} | {row.size:,} | {seen['messages'] / seen['seconds']:,.0f} | {seen['p50_ms']} "
        f"| {seen['p95_ms']} | {seen['p99_ms']} | {seen['max_ms']} | {seen['since_due']['p99_ms']} "
        f"| {seen['gaps']} | {seen['open']:,} | {seen['ended']} | {orders} | {held} |"
    )


def _cost_row(row: Watched, rows: Sequence[Watched]) -> str:
    seen, publisher = row.measured["watchers"], row.cpu_share(*PUBLISHERS)
    shares = [row.cpu_share(name) for name in ("nginx", WATCHERS, GENERATOR)]
    rest = row.cpu_share(*row.measured["cpu_s"]) - publisher - sum(shares)
    alone = next((r for r in rows if not r.size and r.way.split()[0] == row.way.split()[0]), None)
    a_message = connected = ""
    if row.size:
        connected = f"{seen['connect_s']:.1f}"
        per_second = seen["messages"] / seen["seconds"]
        if alone is not None and per_second:
            # What the publisher does without any client is no part of a message.
            a_message = f"{(publisher - alone.cpu_share(*PUBLISHERS)) / per_second * 1e6:.1f}"
    cells = " | ".join(f"{share:.0%}" for share in (*shares, rest))
    return (
        f"| {row.way} | {row.size:,} | {publisher:.0%} | {a_message} | {cells} "
        f"| {row.memory_bytes / 1e6:.0f} | {connected} | {row.machine_load:.1f} |"
    )


def _plot(path: Path, rows: Sequence[Watched]) -> None:
    # Half a second of a processor, which every process that reads the tests would pay.
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")

    mpl.rcParams["svg.hashsalt"] = "exchange"
    figure, axis = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for way in dict.fromkeys(row.way for row in rows if row.size):
        those = [row for row in rows if row.way == way and row.size]
        sizes = [row.size for row in those]
        delays = {p: [row.measured["watchers"][f"{p}_ms"] for row in those] for p in ("p99", "p50")}
        (line,) = axis.plot(sizes, delays["p99"], "o-", label=f"{way}, p99")
        axis.plot(sizes, delays["p50"], "o--", color=line.get_color(), label=f"{way}, p50")
    axis.axhline(P99_MS_MAX, color="grey", linewidth=1, linestyle=":")
    axis.set_xlabel("clients of depth@100ms")
    axis.set_ylabel("ms from the event to the client")
    axis.set_ylim(bottom=0)
    axis.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
