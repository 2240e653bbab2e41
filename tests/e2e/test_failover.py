"""A region is lost for good: another one, with copies alone, is the same exchange as far as they reach."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.contracts.codec import RecordedEvent, decode_commands, decode_events
from exchange.contracts.commands import CancelOrder, Command, PlaceOrder
from exchange.log.shelf import Shelf
from exchange.process.config import Settings
from local.exchange_process import ExchangeProcess
from tests.e2e.audit import audit, check_refusals
from tests.e2e.conftest import DEPOSITS, TRADERS
from tests.e2e.journal import Journal, Load, Outcome
from tests.e2e.second_site import copied_objects, database_of, dump, load_dump, rebuild, servers_of
from tests.e2e.trader import REQUEST_DEADLINE_S, Trader
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(400)]

SEED = 20_261_122
SHORT = {
    "FAST_START": "1",
    "EXCHANGE_ARCHIVE_SEGMENT_AGE_MS": "300",
    "EXCHANGE_SNAPSHOT_EVERY_COMMANDS": "100",
}
PAUSE_S = 0.02
LOAD_S = 3.0
TABLES_BEHIND_S = 1.5
CATCH_UP_S = 60.0


@dataclass(frozen=True)
class Lost:
    """What is left of an exchange that is gone: copies, and what its clients were told."""

    traders: list[Trader]
    journal: Journal
    objects: Path
    tables: Path
    key: Path


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """A stack that traded until every process of it was killed at once, for good."""
    print(f"seed {SEED}")
    folder = tmp_path_factory.mktemp("copies")
    left = Lost([], Journal(), folder / "objects", folder / "tables.sql", folder / "secret.key")
    first = ExchangeProcess("stack", settings=SHORT)
    try:
        first.start()
        refused_while_it_runs(first)
        left.traders.extend(Trader.sign_up(first.url, deposits=DEPOSITS) for _ in range(TRADERS))
        # Stands in for a key that a key management service has in both regions.
        shutil.copy(first.data_dir / "stack" / "secret.key", left.key)
        asyncio.run(trade_until_killed(first, left))
    finally:
        first.kill()
        first.remove()
    print(f"lost: {left.journal.summary()}")
    yield left
    for trader in left.traders:
        trader.close()


def refused_while_it_runs(exchange: ExchangeProcess) -> None:
    """Whatever else it is told: the lease comes first."""
    state = exchange.data_dir / "stack"
    refused = rebuild(Settings(data_dir=state, lease=f"file:{state / 'engine.lease'}"), "--source", "archive")
    assert refused.returncode == 1
    assert "the exchange runs" in refused.stderr


async def trade_until_killed(exchange: ExchangeProcess, left: Lost) -> None:
    state = exchange.data_dir / "stack"
    async with Load(left.traders, left.journal, SEED, PAUSE_S):
        async with copied_objects(state, left.objects):
            await asyncio.sleep(LOAD_S)
            await asyncio.to_thread(dump, database_of(exchange), left.tables)
            # The archive's copy, which is later than the tables', overtakes them.
            await asyncio.sleep(TABLES_BEHIND_S)
        await asyncio.to_thread(exchange.kill)


async def test_everything_that_was_copied_is_there_once_and_trades_on(lost: Lost) -> None:
    commands = await archived_commands(lost.objects)
    events = await archived_events(lost.objects, len(commands))
    async with second_site(lost) as (second, settings):
        done = rebuild(settings, "--source", "archive", *places(lost.objects))
        assert done.returncode == 0, done.stderr
        assert f"restored: {len(commands)} command records" in done.stdout
        assert f"event hash {events[-1].hash.hex()} at seq {events[-1].seq}, as archived" in done.stdout
        assert "as in the newest snapshot" in done.stdout
        assert "LOST" not in done.stdout
        again = rebuild(settings, "--source", "archive", *places(lost.objects))
        assert again.returncode == 1
        assert f"--discard exchange.commands.0={len(commands)}" in again.stderr, "says what to do"
    with second:
        await holds_and_trades_on(second, lost, commands)


async def test_copy_with_a_gap_loses_exactly_what_is_behind_it_and_says_so(lost: Lost) -> None:
    objects = lost.objects.with_name("cut")
    shutil.copytree(lost.objects, objects)
    segments = sorted((objects / "archive" / "0" / "commands").iterdir())
    gap = segments[len(segments) * 2 // 3]
    gap.unlink()
    commands = (await archived_commands(lost.objects))[: int(gap.stem)]
    async with second_site(lost) as (second, settings):
        arguments = ["--source", "archive", *places(objects)]
        refused = rebuild(settings, *arguments)
        assert refused.returncode == 1
        assert f"expected offset {len(commands)}" in refused.stderr
        assert "accept-loss" in refused.stderr
        done = rebuild(settings, *arguments, "--accept-loss")
        assert done.returncode == 0, done.stderr
        assert f"restored: {len(commands)} command records" in done.stdout
        assert (
            f"LOST, all that is archived behind this: commands: expected offset {len(commands)}"
            in done.stdout
        )
        # The tables were copied up to a later moment.
        assert "stood in the tables and are not in the logs" in done.stdout
    with second:
        await holds_and_trades_on(second, lost, commands)


@contextlib.asynccontextmanager
async def second_site(lost: Lost) -> AsyncIterator[tuple[ExchangeProcess, Settings]]:
    """An exchange that was never started, and its servers: empty, but for the copied tables and the key."""
    second = ExchangeProcess("stack", settings=SHORT)
    try:
        async with servers_of(second) as settings:
            load_dump(settings.database_dsn.get_secret_value(), lost.tables)
            shutil.copy(lost.key, second.data_dir / "stack" / "secret.key")
            yield second, settings
    except BaseException:
        second.remove()
        raise


def places(objects: Path) -> list[str]:
    return ["--archive", f"folder:{objects}", "--witnesses", f"folder:{objects}"]


async def archived_commands(objects: Path) -> list[list[Command]]:
    """The commands of each archived record, read apart from the program under test's own way back."""
    return [
        decode_commands(record.value)
        async for segment in Shelf(FolderStore(objects), 0, "commands").segments()
        for record in segment.records
    ]


async def archived_events(objects: Path, commands_end: int) -> list[RecordedEvent]:
    """Those of the commands before that offset."""
    return [
        event
        async for segment in Shelf(FolderStore(objects), 0, "events").segments()
        for record in segment.records
        for outcome in decode_events(record.value).outcomes
        if outcome.command_offset < commands_end
        for event in outcome.events
    ]


async def holds_and_trades_on(
    second: ExchangeProcess, lost: Lost, commands: Sequence[Sequence[Command]]
) -> None:
    """What the copied commands say, no more and no less; then on with the same keys."""
    journal, gone = told_of(lost.journal, commands)
    print(f"copied: {journal.summary()}; lost: {gone} acknowledged")
    assert journal.count(Outcome.ACKNOWLEDGED)
    traders = [moved(trader, second.url) for trader in lost.traders]
    try:
        eventually(lambda: audit(traders, journal, DEPOSITS), CATCH_UP_S)
        acknowledged = journal.count(Outcome.ACKNOWLEDGED)
        async with Load(traders, journal, SEED + 1, PAUSE_S):
            await asyncio.sleep(1.0)
        assert journal.count(Outcome.ACKNOWLEDGED) > acknowledged, "it trades on"
        check_refusals(list(journal.orders.values())[-20:])
        eventually(lambda: audit(traders, journal, DEPOSITS), CATCH_UP_S)
    finally:
        for trader in traders:
            trader.close()


def told_of(journal: Journal, commands: Sequence[Sequence[Command]]) -> tuple[Journal, int]:
    """The journal as if only these commands had been sent; and how many acknowledged orders are gone."""
    flat = [command for record in commands for command in record]
    placed = {command.client_order_id for command in flat if isinstance(command, PlaceOrder)}
    cancelled = {command.client_order_id for command in flat if isinstance(command, CancelOrder)}
    kept, gone = Journal(), 0
    for client_order_id, order in journal.orders.items():
        if client_order_id in placed:
            was_cancelled = order.cancel is not None and client_order_id in cancelled
            kept.orders[client_order_id] = replace(order, cancel=order.cancel if was_cancelled else None)
        else:
            gone += order.outcome is Outcome.ACKNOWLEDGED
    return kept, gone


def moved(trader: Trader, url: str) -> Trader:
    """The same account and key, elsewhere."""
    client = httpx.Client(base_url=url, timeout=REQUEST_DEADLINE_S, trust_env=False)
    found = Trader(url, client, trader.credentials)
    found.sign_in()
    return found
