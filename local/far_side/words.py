"""What the exchange and its far side say to each other, a line each: the child's pipes carry it."""

from typing import Final

import msgspec

from exchange.process.config import Settings

__all__ = ["LINE_SIZE_BYTES_MAX", "State", "Task", "state_of", "task_for"]

# A state holds the text of some hundred metrics.
LINE_SIZE_BYTES_MAX: Final = 4 * 1_048_576


class Task(msgspec.Struct):
    """The first line down. `settings`: those that were set; `end`: of the event log, what is durable.

    Each line that follows is a newer end, as a number.
    """

    settings: dict[str, object]
    end: int
    engine_build: str


class State(msgspec.Struct):
    """A line up. `problems`: part -> None when it works; `metrics`: what the exchange has none of itself."""

    problems: dict[str, str | None]
    metrics: str


def task_for(settings: Settings, end: int, engine_build: str) -> bytes:
    """The first line. It holds secrets, so it goes through a pipe and nowhere else."""
    return msgspec.json.encode(
        Task(settings.model_dump(exclude_unset=True), end, engine_build), enc_hook=_plain
    )


def state_of(line: bytes) -> State:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=State)


def _plain(value: object) -> object:
    """Secrets and paths as the settings take them."""
    reveal = getattr(value, "get_secret_value", None)
    return str(value) if reveal is None else reveal()
