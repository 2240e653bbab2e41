"""By which clock a command is decided (ADR 0018): the log's stamp says when it came, not when that is.

A leader says on the command log that it is at work (`KeepTime`). What is stamped up to ATTENDED_MS later is
decided by its own stamp, at once. What comes after that is unattended: it waits until a leader speaks again,
and is decided by that clock, so that what grew stale meanwhile is refused. Both follow from the log alone.
"""

from typing import Final

from exchange.contracts.commands import Command, KeepTime, LeaderElected

ATTENDED_MS: Final = 1_000
# How far a leader's word lets the clock of a broker be ahead of its own: a broker that is hours fast
# must not carry the exchange's clock away, which never goes back.
AHEAD_MAX_MS: Final = 60_000
NO_CLOCK: Final = -1


def clock_of(commands: list[Command], epoch: int, timestamp_ms: int) -> int:
    """The clock that a record gives to what waits before it, in ms since 1970; NO_CLOCK if it gives none.

    `epoch`: of the leader whose word counts. A claimant's marker is one too, and comes with its clock.
    """
    counts, clock_ms = False, timestamp_ms
    for command in commands:
        if isinstance(command, LeaderElected):
            counts, epoch = True, command.epoch
        elif isinstance(command, KeepTime) and command.epoch == epoch:
            counts, clock_ms = True, min(clock_ms, command.wall_ms + AHEAD_MAX_MS)
    return clock_ms if counts else NO_CLOCK
