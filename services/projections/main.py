"""The projections' process: `python -m services.projections {ledger,book,withdrawals,all}`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from exchange.adapters.chosen.resources import deployed_resources
from exchange.adapters.chosen.tracing import open_tracing
from exchange.http.operations import operations_app
from exchange.http.server import serve
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.process.frame import run_process
from exchange.process.tracing import Tracing
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.withdrawals import WithdrawalSettler

__all__ = ["components_for", "main"]

_PARTS: Final[Mapping[str, Callable[[Resources, Tracing | None], Component]]] = {
    "ledger": lambda resources, tracing: LedgerProjection(resources, tracing=tracing),
    "book": lambda resources, _: BookProjection(resources),
    "withdrawals": lambda resources, _: WithdrawalSettler(resources),
}
ALL: Final = "all"


def components_for(part: str, resources: Resources, tracing: Tracing | None = None) -> list[Component]:
    """The component of one part, or of `all`. Raises KeyError for an unknown one."""
    names = list(_PARTS) if part == ALL else [part]
    return [_PARTS[name](resources, tracing) for name in names]


async def main(part: str, settings: Settings) -> None:
    """Compose and run one part, or all, over Kafka, PostgreSQL and Redis."""
    service = f"projections-{part}"
    async with open_tracing(settings, service) as tracing, deployed_resources(settings) as resources:
        components = components_for(part, resources, tracing)
        await serve(operations_app(components), components, settings)


def run(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.projections", description=__doc__)
    parser.add_argument("part", choices=[*_PARTS, ALL])
    part: str = parser.parse_args(arguments).part
    return run_process(partial(main, part))


if __name__ == "__main__":
    sys.exit(run())
