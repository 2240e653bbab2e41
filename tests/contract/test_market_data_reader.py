"""History is read from the database's reader, and from the writer while the reader is away."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from exchange.adapters.postgres.pool import close_pool, open_reader_pool
from exchange.process.components import Resources
from local.servers import free_port
from services.market_data.markets.state import MarketState
from tests.at_work import open_resources
from tests.contract.market_data_server import MarketDataServer, serving, settings_of
from tests.contract.test_market_data_bootstrap import publish, write_ledger
from tests.event_streams import EventStream, RandomTrading

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def reader_dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """A second database: what it holds is what a reader would show."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    maintenance = await asyncpg.connect(postgres_dsn, timeout=10)
    await maintenance.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(postgres_dsn)._replace(path=f"/{name}"))
    await maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await maintenance.close()


@dataclass(frozen=True)
class Both:
    """A writer and its reader, which is behind, and says another price of the first trade."""

    resources: Resources
    stream: EventStream
    reader_seq: int
    written_ticks: int


@pytest.fixture
async def both(
    database_dsn: str, reader_dsn: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Both]:
    monkeypatch.setattr("services.market_data.markets.bootstrap.RING_SIZE_MAX", 50)
    settings = settings_of(database_dsn, valkey_url)
    trading = RandomTrading(57)
    stream = trading.stream
    async with open_resources(settings) as writer:
        trading.run(1_500)
        await publish(writer, stream)
        reader_seq = stream.seq
        async with open_resources(settings_of(reader_dsn, valkey_url)) as copy:
            await write_ledger(replace(copy, event_log=writer.event_log), reader_seq)
            await copy.database.execute("UPDATE trades SET price_ticks = price_ticks + 1 WHERE trade_id = 1")
        trading.run(200)
        await publish(writer, stream)
        await write_ledger(writer, stream.seq)
        written: int = await writer.database.fetchval(
            "SELECT price_ticks FROM trades WHERE market_id = 1 AND trade_id = 1"
        )
        yield Both(with_reader(writer, reader_dsn), stream, reader_seq, written)


def with_reader(resources: Resources, dsn: str) -> Resources:
    settings = resources.settings.model_copy(update={"database_reader_dsn": SecretStr(dsn)})
    return replace(resources, settings=settings)


@asynccontextmanager
async def serving_with_reader(resources: Resources) -> AsyncIterator[MarketDataServer]:
    """As a deployed process: the reader's pool from its settings."""
    reader = await open_reader_pool(resources.settings)
    assert reader is not None
    try:
        async with serving(replace(resources, database_reader=reader)) as server:
            yield server
    finally:
        await close_pool(reader, 5_000)


def times_away() -> float:
    return REGISTRY.get_sample_value("exchange_database_reader_away_total") or 0.0


async def first_price(server: MarketDataServer) -> str:
    answer = await server.get("/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1&limit=1")
    assert answer.status_code == 200, answer.text
    (trade,) = answer.json()
    assert trade["id"] == 1
    price: str = trade["price"]
    return price


async def test_start_and_history_read_from_the_reader_and_the_log_brings_what_it_lacks(both: Both) -> None:
    before = times_away()
    async with serving_with_reader(both.resources) as server:
        await server.has_applied(both.stream.seq)
        assert both.reader_seq < both.stream.seq
        live = MarketState()
        for outcome in both.stream.outcomes:
            live.apply(outcome)
        for market_id, view in live.views.items():
            loaded = server.service.markets.state.views[market_id]
            assert loaded.book.bids.top(10_000) == view.book.bids.top(10_000)
            # The ledger has counted aggregate trades; what comes from events alone has no such ids.
            newest = [trade._replace(aggregate_id=0) for trade in loaded.trades.items[-50:]]
            assert newest == view.trades.items[-50:]
        assert await first_price(server) == live.views[1].market.price(both.written_ticks + 1)
    assert times_away() == before


async def test_while_the_reader_is_away_the_writer_is_read_and_it_is_said(both: Both) -> None:
    before = times_away()
    nobody = f"postgresql://exchange@127.0.0.1:{free_port()}/exchange"
    async with serving_with_reader(with_reader(both.resources, nobody)) as server:
        market = server.service.markets.state.views[1].market
        for _ in range(3):
            assert await first_price(server) == market.price(both.written_ticks)
    assert times_away() == before + 1, "one failure leaves the reader alone for a while"


async def test_a_reader_that_answers_no_question_is_left_alone_at_the_start(
    both: Both, postgres_dsn: str
) -> None:
    """A database without our tables stands for a reader that breaks questions off."""
    async with serving_with_reader(with_reader(both.resources, postgres_dsn)) as server:
        await server.has_applied(both.stream.seq)
        market = server.service.markets.state.views[1].market
        assert await first_price(server) == market.price(both.written_ticks)


async def test_nothing_is_written_through_the_reader(both: Both) -> None:
    reader = await open_reader_pool(both.resources.settings)
    assert reader is not None
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await reader.execute("UPDATE trades SET price_ticks = 1")
    await close_pool(reader, 5_000)


def test_only_market_data_reads_from_the_reader() -> None:
    """Whoever decides about money, or waits for the ledger's seq, must see what was just written."""
    users = {
        str(path.relative_to(ROOT))
        for top in ("exchange", "local", "matching_engine", "services")
        for path in (ROOT / top).rglob("*.py")
        if re.search(r"exchange\.process\.readers|database_reader\b", path.read_text("utf-8"))
    }
    assert users == {
        *("exchange/process/readers.py", "exchange/process/components.py"),
        *(
            f"services/market_data/{name}.py"
            for name in ("markets/bootstrap", "component", "markets/history")
        ),
    }
