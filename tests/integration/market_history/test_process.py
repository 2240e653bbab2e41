"""The process and the command for looking, over a folder."""

import asyncio
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from exchange.adapters.memory.log import MemoryLog
from exchange.process.config import Settings, SettingsError
from local.servers import free_port
from services.market_history import main as process
from services.market_history.show.main import app
from tests.integration.market_history.trading import Tape

pytestmark = pytest.mark.integration
DEADLINE_S = 60.0


async def test_the_process_writes_says_how_it_is_and_can_be_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = Tape(seed=30)
    await tape.grow(100, gap_ms_max=5_000)
    monkeypatch.setattr(process, "shard_logs", lambda _: (MemoryLog(lambda: 0), tape.log))
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY", f"folder:{tmp_path}/history")
    monkeypatch.setenv("EXCHANGE_MARKET_HISTORY_TRADES_DAYS", "100000")
    settings = Settings(port=free_port(), lake=f"folder:{tmp_path}/lake", market_history_age_ms=20)
    running = asyncio.create_task(process.main(settings))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}") as client:
        async with asyncio.timeout(DEADLINE_S):
            while not all([await written(client, name, tape.seq) for name in ("tables", "lake")]):
                assert not running.done()
                await asyncio.sleep(0.05)
        assert (await client.get("/healthz")).status_code == 200
        ready = (await client.get("/readyz")).json()
    assert ready == {
        "ready": True,
        "parts": {"market-history-tables": "ok", "market-history-lake": "ok"},
    }
    runner = CliRunner(env={"COLUMNS": "200"})
    newest = tape.trades["BTCUSDT"][-1]
    # The command runs a loop of its own, beside the process that holds the folder.
    shown = await asyncio.to_thread(runner.invoke, app, ["btcusdt", "--trades", "--limit", "3"])
    assert shown.exit_code == 0, shown.output
    assert f" {newest.id} " in shown.output
    shown = await asyncio.to_thread(
        runner.invoke, app, ["BTCUSDT", "--interval", "1M", "--start", "2023-11-01"]
    )
    assert shown.exit_code == 0, shown.output
    assert "2023-11-01" in shown.output
    assert f" {len(tape.trades['BTCUSDT'])} " in shown.output
    for arguments, said in ((["NONE"], "no market NONE"), (["BTCUSDT", "--interval", "7m"], "7m is none of")):
        shown = await asyncio.to_thread(runner.invoke, app, arguments)
        assert shown.exit_code != 0
        assert said in shown.output
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def written(client: httpx.AsyncClient, follower: str, seq: int) -> bool:
    try:
        text = (await client.get("/metrics")).text
    except httpx.TransportError:
        return False
    return f'exchange_market_history_seq{{follower="{follower}"}} {float(seq)}' in text


async def test_without_tables_the_process_says_so_and_ends() -> None:
    with pytest.raises(SettingsError, match="market_history"):
        await process.main(Settings(port=free_port()))
