"""Processor time by process: of an exchange and all that belongs to it."""

from collections.abc import Mapping
from typing import Final

import psutil

__all__ = ["GENERATOR", "OUTSIDE", "WATCHERS", "cpu_by_name", "name_of", "spent"]

# What a load test brings itself: no part of the exchange.
GENERATOR: Final = "the generator"
WATCHERS: Final = "the watchers"
OUTSIDE: Final = (GENERATOR, WATCHERS)

_NAME_CHARS_MAX: Final = 40


def cpu_by_name(pid: int) -> dict[str, float]:
    """Seconds of processor time of a process and all below it, summed up by name."""
    used: dict[str, float] = {}
    try:
        owner = psutil.Process(pid)
        family = [owner, *owner.children(recursive=True)]
    except psutil.NoSuchProcess:
        return used
    for member in family:
        try:
            times, name = member.cpu_times(), name_of(member.cmdline())
        except psutil.Error:
            continue
        used[name] = used.get(name, 0.0) + times.user + times.system
    return used


def name_of(command: list[str]) -> str:
    """What people call a process: the service of a module, or the server's own name."""
    if not command:
        return "?"
    if "-m" in command[:-1]:
        words = command[command.index("-m") + 1 :][:2]
        module = words[0].removeprefix("services.").removesuffix(".main")
        more = f" {words[1]}" if len(words) > 1 and words[1].isalpha() else ""
        return f"{module}{more}"[:_NAME_CHARS_MAX]
    program = command[0].rpartition("/")[2].partition(":")[0].partition(" ")[0]
    return {"java": "kafka"}.get(program, program)[:_NAME_CHARS_MAX]


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was used in between, most first; processes that used nothing are left out."""
    used = {name: total - before.get(name, 0.0) for name, total in after.items()}
    return dict(sorted(((n, s) for n, s in used.items() if s > 0.005), key=lambda item: -item[1]))
