"""Activate newer rules on a running exchange: `python -m matching_engine.activate.main --help`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.adapters.chosen.command_log import open_command_log
from exchange.process.config import Settings
from exchange.process.frame import run_until_signal
from matching_engine.activation import activate_rules
from matching_engine.core.rules_version import RULES_VERSION_MAX

__all__ = ["main"]


def main(
    version: Annotated[
        int, typer.Option(min=1, max=RULES_VERSION_MAX, help="The rules that shall hold from now on")
    ],
    log: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="commands.log of a stopped `make run`, for Kafka's"),
    ] = None,
) -> None:
    """Append the command to the command log.

    Only once every engine runs code that has these rules: one that has not stops at the command, and there
    is no way back to older rules.
    """
    sys.exit(run_until_signal(_append(Settings.load(), log, version)))


async def _append(settings: Settings, file: Path | None, version: int) -> None:
    async with open_command_log(settings, file) as command_log:
        await activate_rules(command_log, version)


if __name__ == "__main__":
    typer.run(main)
