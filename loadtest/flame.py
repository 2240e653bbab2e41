"""Where the processor's time of `make run` goes, as a flame graph and by module: `make flame RPS=300`.

py-spy looks a hundred times a second at the thread of the exchange's process that holds the interpreter's
lock, while the lean generator asks; the processor time that the process used is shared out by what was seen.
It counts a loop that just begins to wait as one at work, so the loop's own part is too large by a sixth or
so; a thread that writes to the disk holds no lock and is not seen.
"""

import collections
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import typer
from rich.console import Console

from loadtest.search import ask
from local.exchange_process import ROOT, ExchangeProcess

__all__ = ["Stack", "drawn", "modules", "parsed"]

RATE_PER_S: Final = 100
WARM_UP_S: Final = 10
SAMPLER_DEADLINE_S: Final = 60.0
# What is narrower than this is not drawn.
SHARE_MIN: Final = 0.004
WIDTH: Final = 1_200
ROW_HEIGHT: Final = 16
CHARACTER_WIDTH: Final = 6.2
LOOP: Final = "(event loop, servers, libraries)"
ROOMS: Final = ("exchange", "services", "matching_engine", "local")
COLOURS: Final = {
    "services": "#e8a33d",
    "exchange": "#e0654f",
    "matching_engine": "#7fb069",
    "local": "#b8a1d9",
}
OTHERS: Final = "#c9ced6"
console: Final = Console()


class Stack(NamedTuple):
    """Frames from the outermost on, each `function (file:line)`, and how often they were seen."""

    frames: tuple[str, ...]
    samples: int


def main(
    rps: Annotated[int, typer.Option(min=10, help="Requests a second")] = 300,
    seconds: Annotated[int, typer.Option(min=5, help="How long is looked at")] = 30,
    reports: Annotated[Path, typer.Option(help="Where the graph goes")] = ROOT / "docs" / "reports",
) -> None:
    """Measure, draw, and print what each module costs a request."""
    with (
        ExchangeProcess("run", settings={"MARKET_MAKER": "0"}) as exchange,
        tempfile.TemporaryDirectory(prefix="flame-") as folder,
    ):
        ask(exchange, rps, WARM_UP_S, [], Path(folder))
        raw = Path(folder, "raw")
        # A round begins with five seconds of the same requests; its processor time is of the rest.
        sampler = _sampler(exchange.pid, seconds, raw)
        measured = ask(exchange, rps, seconds, [], Path(folder))
        sampler.communicate(timeout=SAMPLER_DEADLINE_S)
        stacks = parsed(raw.read_text(encoding="utf-8").splitlines())
    used_s = next(spent for process, spent in measured["cpu_s"].items() if process.startswith("local"))
    us = used_s / measured["total"]["requests"] * 1e6
    told = (
        f"make run, {rps} requests a second, {time.strftime('%Y-%m-%d')}: {us:.0f} us of processor a request"
    )
    stem = reports / f"flame-{time.strftime('%Y-%m-%d')}"
    stem.with_suffix(".svg").write_text(drawn(stacks, told), encoding="utf-8")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    stem.with_suffix(".md").write_text(_report(stacks, us, told, machine, measured), encoding="utf-8")
    console.print(stem.with_suffix(".md").read_text(encoding="utf-8"), highlight=False)


def _sampler(pid: int, seconds: int, raw: Path) -> "subprocess.Popen[bytes]":
    program = Path(sys.executable).with_name("py-spy")
    command = [str(program), "record", "--pid", str(pid), "--duration", str(seconds), "--gil"]
    command += ["--rate", str(RATE_PER_S), "--format", "raw", "--output", str(raw)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def parsed(lines: Iterable[str]) -> list[Stack]:
    """py-spy's raw format: frames with a semicolon between, a space, and a count."""
    stacks = []
    for line in lines:
        frames, _, count = line.rpartition(" ")
        stacks.append(Stack(tuple(frames.split(";")), int(count)))
    return stacks


def modules(stacks: Sequence[Stack]) -> list[tuple[str, float]]:
    """The share of each module of this project: a library's time is that of who called it last."""
    seen: collections.Counter[str] = collections.Counter()
    for frames, samples in stacks:
        seen[next((m for m in map(_module, reversed(frames)) if m), LOOP)] += samples
    whole = sum(seen.values()) or 1
    return [(module, samples / whole) for module, samples in seen.most_common()]


def _module(frame: str) -> str:
    """The file of a frame, "" when it is no room's of this project."""
    file = frame.rpartition("(")[2].partition(":")[0]
    return file if file.partition("/")[0] in ROOMS else ""


def drawn(stacks: Sequence[Stack], title: str) -> str:
    """A flame graph, the outermost frames above, lines of one function together; narrow ones are left out."""
    whole = sum(stack.samples for stack in stacks) or 1
    boxes: list[str] = []
    depth_max = 0

    def draw(rows: Sequence[Stack], depth: int, left: float) -> None:
        nonlocal depth_max
        groups: dict[str, list[Stack]] = {}
        for frames, samples in rows:
            if len(frames) > depth:
                groups.setdefault(_function(frames[depth]), []).append(Stack(frames, samples))
        for function, group in sorted(groups.items()):
            samples = sum(stack.samples for stack in group)
            if samples / whole >= SHARE_MIN:
                depth_max = max(depth_max, depth)
                boxes.append(_box(function, samples / whole, depth, left))
                draw(group, depth + 1, left)
            left += samples / whole * WIDTH

    draw(stacks, 0, 0.0)
    height = (depth_max + 4) * ROW_HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'font-family="monospace" font-size="10"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="4" y="14" font-size="13">{escape(title)}</text>'
    )
    return "\n".join([head, *boxes, "</svg>", ""])


def _function(frame: str) -> str:
    """A frame without its line."""
    return f"{frame.rpartition(':')[0]})" if frame.endswith(")") and ":" in frame else frame


def _box(function: str, share: float, depth: int, left: float) -> str:
    width, top = share * WIDTH, (depth + 2) * ROW_HEIGHT
    room = _module(function).partition("/")[0]
    shown = escape(function[: int(width / CHARACTER_WIDTH)]) if width > 3 * CHARACTER_WIDTH else ""
    return (
        f'<g><title>{escape(function)}: {share:.1%}</title><rect x="{left:.1f}" y="{top}" '
        f'width="{width:.1f}" height="{ROW_HEIGHT - 1}" fill={quoteattr(COLOURS.get(room, OTHERS))}/>'
        f'<text x="{left + 2:.1f}" y="{top + 11}">{shown}</text></g>'
    )


def _report(stacks: Sequence[Stack], us: float, told: str, machine: str, measured: Mapping[str, Any]) -> str:
    total, samples = measured["total"], sum(stack.samples for stack in stacks)
    lines = [
        f"# {told}",
        "",
        f"`make flame`: {total['requests']} requests, {total['failures']} failed, {machine}. py-spy saw the",
        f"interpreter at work {samples} times. A library's time is counted for the module that called it.",
        "",
        "| module | us a request | % |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {module} | {share * us:.0f} | {share:.1%} |"
        for module, share in modules(stacks)
        if share >= 0.005
    ]
    processes = json.dumps({k: round(v, 2) for k, v in measured["cpu_s"].items()})
    return "\n".join([*lines, "", f"Seconds of processor by process: `{processes}`", ""])


if __name__ == "__main__":
    typer.run(main)
