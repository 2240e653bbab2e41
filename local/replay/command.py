"""`exchange replay`: checks the files, replays them once the exchange is ready, and says what came of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from local.console import Steps
from local.options import LocalOptions
from local.replay.files import check_beginnings, symbols
from local.starting import claim

if TYPE_CHECKING:
    from exchange.process.components import Resources
    from local.assembly import AssembledExchange

__all__ = ["Wanted", "run_replay"]


class Wanted(NamedTuple):
    """As on the command line. `ends`: the exchange, too, after the last trade."""

    files: Sequence[Path]
    speed: float
    seed: int
    levels: int
    ends: bool
    summary: Path | None


async def run_replay(options: LocalOptions, wanted: Wanted) -> None:
    """Run until cancelled, or until all is replayed. Raises FileError, and as `run_embedded`."""
    markets = symbols(wanted.files)
    await asyncio.to_thread(check_beginnings, wanted.files)
    ground = await claim(options, "embedded")
    # Nothing is in its way: what takes a while to import comes now.
    import msgspec

    from local.embedded import run_embedded

    async def replay(exchange: "AssembledExchange", resources: "Resources") -> None:
        # It needs the contracts, and those must wait for the choice of the engine's build.
        from local.replay.feeding import Plan, Replay

        steps = Steps()
        plan = Plan(wanted.files, wanted.speed, wanted.seed, wanted.levels)
        found = await Replay(plan, exchange, resources).run(steps)
        steps(
            f"{found.prints:,} prints of {found.markets} markets replayed, {found.market_s / 3600:.1f} h in "
            f"{found.took_s:.0f} s: {found.trades:,} trades, {found.trades_ledger:,} in the ledger"
        )
        if wanted.summary is not None:
            wanted.summary.write_bytes(msgspec.json.encode(found))
        if wanted.ends:
            raise SystemExit(0)

    await run_embedded(options, ground, replay, markets)
