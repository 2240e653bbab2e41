"""What the bench does by public calls, on an exchange that is none: accounts, prices, cleaning."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bench import BenchError, Exchange
from tests.bots.wheel import ROOT

pytestmark = pytest.mark.slow

SYMBOL = "BTCUSDT"


@pytest.fixture
def public(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchange]:
    """An exchange of which one knows the address alone: this run's, after its own house has left."""
    for symbol in (SYMBOL, "ETHUSDT", "ETHBTC"):
        exchange.market(symbol).empty()
    monkeypatch.delenv("EXCHANGE_BENCH_URL", raising=False)
    monkeypatch.setenv("EXCHANGE_BENCH_PUBLIC_URL", exchange.url)
    with Exchange() as made:
        yield made


def test_prices_go_where_the_test_says_and_meet_what_rests(public: Exchange) -> None:
    market = public.market(SYMBOL)
    assert market.price == 65_000
    account = public.account(USDT=20_000, BTC="0.5")
    assert account.balances() == {"USDT": Decimal(20_000), "BTC": Decimal("0.5")}
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}
    placed = account.request("POST", "/api/v3/order", price="64500", **order)
    account.request("POST", "/api/v3/order", price="60000", **order)
    market.walk_to(64_000)
    (fill,) = account.wait_for_fills(SYMBOL)
    assert (fill.price, fill.order_id, fill.is_maker) == (Decimal(64_500), placed["orderId"], True)
    assert market.price == 64_000
    book = market.book()
    assert book["bids"][0][0] < 64_000 < book["asks"][0][0]
    public.clean()
    assert account.open_orders() == []
    assert market.price == 65_000
    assert {len(side) for side in market.book().values()} == {10}


@pytest.mark.parametrize("target", [63_900, 66_100])
def test_stops_in_the_way_trade_with_the_house(public: Exchange, target: int) -> None:
    account = public.account(USDT=20_000, BTC=1)
    side, stop = ("SELL", 64_000) if target < 65_000 else ("BUY", 66_000)
    placed = account.request(
        "POST", "/api/v3/order", symbol=SYMBOL, side=side, type="STOP_LOSS", quantity="0.1", stopPrice=stop
    )
    public.market(SYMBOL).walk_to(target)
    found = account.request("GET", "/api/v3/order", symbol=SYMBOL, orderId=placed["orderId"])
    assert (found["status"], Decimal(found["executedQty"])) == ("FILLED", Decimal("0.1"))
    assert public.market(SYMBOL).price == target


def test_what_only_a_bench_can_is_refused(public: Exchange) -> None:
    market = public.market(SYMBOL)
    for asked in (market.halt, public.clock_ms, public.bad_days.banned):
        with pytest.raises(BenchError, match="is no bench"):
            asked()
    with pytest.raises(BenchError, match="no multiple"):
        market.walk_to("64000.001")


def test_it_leaves_nothing_behind(exchange: Exchange, public: Exchange) -> None:
    account = public.account(USDT=20_000)
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1"}
    account.request("POST", "/api/v3/order", price="60000", **order)
    public.stop()
    assert exchange.market(SYMBOL).book() == {"bids": [], "asks": []}


def test_tests_that_want_a_bench_are_left_out_and_counted(tmp_path: Path, exchange: Exchange) -> None:
    suite = tmp_path / "test_stranger.py"
    suite.write_text(
        "import pytest\n"
        "def test_first(exchange):\n    assert exchange.market('BTCUSDT').price == 65_000\n"
        "@pytest.mark.bench_doors\n"
        "def test_second(exchange):\n    exchange.bad_days.hang_up()\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "bench.pytest_plugin"]

    def run(variable: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": os.devnull}
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", str(suite)],
            cwd=tmp_path, env={**environment, variable: exchange.url},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.stdout + done.stderr

    assert re.search(r"^1 passed, 1 deselected", run("EXCHANGE_BENCH_PUBLIC_URL"), re.MULTILINE)
    assert re.search(r"^2 passed", run("EXCHANGE_BENCH_URL"), re.MULTILINE)
