"""`make run` with its far side (ADR 0059): what it writes, how it ends, and who ends with it."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from exchange.adapters.files.log import FileLog
from exchange.process.config import Settings
from loadtest.accounts import open_account
from local.exchange_process import ExchangeProcess
from local.far_side.component import FarSide

pytestmark = [pytest.mark.integration, pytest.mark.slow]
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeProcess]:
    with ExchangeProcess("run") as running:
        yield running


def until(true: Callable[[], object]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < give_up, "it has not come to that"
        time.sleep(0.05)


def child_of(exchange: ExchangeProcess) -> psutil.Process:
    below = psutil.Process(exchange.pid).children()
    return next(child for child in below if "local.far_side" in child.cmdline())


def metric(exchange: ExchangeProcess, name: str) -> float:
    text = httpx.get(f"{exchange.url}/metrics", trust_env=False).text
    (value,) = (line.split()[1] for line in text.splitlines() if line.startswith(f"{name} "))
    return float(value)


def test_tables_and_books_follow_and_readiness_and_metrics_tell_of_them(exchange: ExchangeProcess) -> None:
    parts = httpx.get(f"{exchange.url}/readyz", trust_env=False).json()["parts"]
    assert {"ledger", "event_log", "book"} <= parts.keys()
    before = metric(exchange, "exchange_ledger_last_seq")
    open_account(exchange.url)  # with three deposits
    until(lambda: metric(exchange, "exchange_ledger_last_seq") >= before + 3)
    until(lambda: metric(exchange, "exchange_book_last_seq") >= before + 3)
    assert metric(exchange, 'exchange_anomalies_open{kind="price_jump"}') == 0


def test_it_ends_in_order_with_the_exchange_and_is_killed_with_it(exchange: ExchangeProcess) -> None:
    seq, child = metric(exchange, "exchange_ledger_last_seq"), child_of(exchange)
    exchange.stop()
    assert not child.is_running()
    log = (exchange.data_dir / "embedded" / "far-side.log").read_text()
    assert "CRITICAL" not in log
    exchange.start()
    # It tells its figures now and then.
    until(lambda: metric(exchange, "exchange_ledger_last_seq") >= seq)
    child = child_of(exchange)
    psutil.Process(exchange.pid).send_signal(signal.SIGKILL)
    until(lambda: not child.is_running())


async def test_the_exchange_ends_when_its_far_side_does(tmp_path: Path) -> None:
    log = await FileLog.open(tmp_path / "log" / "events.log", 5_000)
    nowhere = Settings.model_validate(
        {"data_dir": tmp_path, "database_dsn": "postgresql://x@127.0.0.1:9/x", "database_deadline_ms": 200}
    )
    side = FarSide(log, nowhere, "interpreted")
    await side.start()
    with pytest.raises(ExceptionGroup) as raised:
        await side.run()
    assert "have ended (exit code 1)" in str(raised.value.exceptions[0])
    await side.stop()
    await log.close()
