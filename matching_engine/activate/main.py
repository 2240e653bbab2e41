"""Activate newer rules on a running exchange: `python -m matching_engine.activate.main --help`."""

import sys
from typing import Annotated

import typer

from exchange.adapters.kafka.log import shard_logs
from exchange.process.config import Settings
from exchange.process.frame import run_until_signal
from matching_engine.activation import activate_rules
from matching_engine.core.rules_version import RULES_VERSION_MAX

__all__ = ["main"]


def main(
    version: Annotated[
        int, typer.Option(min=1, max=RULES_VERSION_MAX, help="The rules that shall hold from now on")
    ],
) -> None:
    """Append the command to the command log of EXCHANGE_KAFKA_BOOTSTRAP.

    Only once every engine runs code that has these rules: one that has not stops at the command, and there
    is no way back to older rules.
    """
    command_log, _ = shard_logs(Settings.load())
    sys.exit(run_until_signal(activate_rules(command_log, version)))


if __name__ == "__main__":
    typer.run(main)
