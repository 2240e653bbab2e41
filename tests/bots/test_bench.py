"""The test bench keeps what docs/bots.md says of it: accounts, prices, clock, fills, and clean tests."""

import json
import re
import statistics
import subprocess
import sys
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from bench import Account, BenchError, Exchange, control
from tests.bots.wheel import ROOT

# All on one exchange of the session, which takes seconds to start.
pytestmark = pytest.mark.slow

CLEAN_MS_MAX = 50
START_CPU_S_MAX = 3.0


def limit(
    account: Account, side: str, quantity: str, price: str, symbol: str = "BTCUSDT"
) -> dict[str, object]:
    """A limit order that waits."""
    made: dict[str, object] = account.request(
        "POST", "/api/v3/order",
        symbol=symbol, side=side, type="LIMIT", timeInForce="GTC", quantity=quantity, price=price,
    )  # fmt: skip
    return made


def test_an_account_has_money_and_a_key_in_one_line(exchange: Exchange) -> None:
    account = exchange.account(USDT=10_000, BTC="0.5")
    assert account.balances() == {"USDT": Decimal(10_000), "BTC": Decimal("0.5")}
    session = httpx.post(
        f"{exchange.url}/v1/sessions",
        json={"email": account.email, "password": account.password},
        trust_env=False,
    )
    assert session.status_code == 201
    with pytest.raises(BenchError, match="UnknownAssetError"):
        exchange.account(DOGE=1)
    with pytest.raises(BenchError, match="permissions are among"):
        exchange.account(permissions=("EVERYTHING",))


def test_a_key_may_be_one_that_reads_alone(exchange: Exchange) -> None:
    account = exchange.account(permissions=("READ",), USDT=100)
    with pytest.raises(BenchError) as refused:
        limit(account, "BUY", "0.001", "60000")
    assert refused.value.code == -2015


def test_the_price_goes_where_the_test_says(exchange: Exchange) -> None:
    market = exchange.market("BTCUSDT")
    assert market.price == 65_000
    market.walk_to(66_000)
    assert market.price == 66_000
    book = market.book()
    assert book["bids"][0][0] < 66_000 < book["asks"][0][0]
    market.jump_to("64000.5")
    assert market.price == Decimal("64000.5")
    with pytest.raises(BenchError, match="no multiple"):
        market.walk_to("64000.001")


@pytest.mark.parametrize(("side", "price", "target"), [("SELL", "65500", 66_000), ("BUY", "64500", 64_000)])
def test_what_rests_in_the_way_is_filled_at_its_own_price(
    exchange: Exchange, side: str, price: str, target: int
) -> None:
    account = exchange.account(USDT=10_000, BTC=1)
    order = limit(account, side, "0.1", price)
    beside = limit(account, side, "0.01", str(int(price) + (1_000 if side == "SELL" else -1_000)))
    exchange.market("BTCUSDT").walk_to(target)
    (fill,) = account.wait_for_fills("BTCUSDT")
    assert (fill.side, fill.price, fill.quantity, fill.order_id) == (
        side, Decimal(price), Decimal("0.1"), order["orderId"],
    )  # fmt: skip
    assert fill.is_maker
    assert [row["orderId"] for row in account.open_orders()] == [beside["orderId"]]


def test_a_walk_takes_more_than_one_order_may(exchange: Exchange) -> None:
    """A whale's order is worth more than the market lets one order be (maxNotional)."""
    whale = exchange.account(BTC=400)
    for _ in range(4):
        limit(whale, "SELL", "100", "65500")
    exchange.market("BTCUSDT").walk_to(66_000)
    assert "BTC" not in whale.balances()
    assert sum(fill.quantity for fill in whale.wait_for_fills("BTCUSDT", 4)) == 400


@pytest.mark.parametrize("target", [63_900, 66_100])
def test_stops_in_the_way_trade_with_the_house(exchange: Exchange, target: int) -> None:
    """They met a market without quotes, and expired: the house had cancelled its own before the print."""
    account, market = exchange.account(USDT=20_000, BTC=1), exchange.market("BTCUSDT")
    side, stop = ("SELL", 64_000) if target < 65_000 else ("BUY", 66_000)
    placed = [
        account.request(
            "POST", "/api/v3/order",
            symbol="BTCUSDT", side=side, type="STOP_LOSS", quantity="0.1", stopPrice=stop + offset,
        )
        for offset in (0, 300 if target < 65_000 else -300)
    ]  # fmt: skip
    # Somebody rests there, too, and is met on the way: that print triggers the first of them.
    limit(account, "BUY" if side == "SELL" else "SELL", "0.05", str(stop))
    market.walk_to(target)
    for order in placed:
        found = account.request("GET", "/api/v3/order", symbol="BTCUSDT", orderId=order["orderId"])
        assert (found["status"], Decimal(found["executedQty"])) == ("FILLED", Decimal("0.1"))
    assert market.price == target
    book = market.book()
    assert book["bids"][0][0] < target < book["asks"][0][0]


def test_the_next_test_finds_nothing_of_this_one(exchange: Exchange) -> None:
    account = exchange.account(USDT=10_000)
    market = exchange.market("ETHUSDT")
    market.walk_to(3_600)
    limit(account, "BUY", "1", "3000", "ETHUSDT")
    market.cancel_only()
    exchange.bad_days.too_many_requests(times=0)
    exchange.clean()
    assert market.price == 3_500
    assert account.open_orders() == []
    assert account.locked() == {}
    assert len(market.book()["bids"]) == len(market.book()["asks"]) == 20
    assert exchange.ask("GET", "/local/bad-days") == []
    limit(account, "BUY", "1", "3000", "ETHUSDT")


def test_an_empty_book_is_empty(exchange: Exchange) -> None:
    market = exchange.market("BTCUSDT")
    market.empty()
    assert market.book() == {"bids": [], "asks": []}
    exchange.clean()
    assert len(market.book()["bids"]) == 20


def test_a_recorded_market_meets_what_rests_and_is_gone_with_the_next_test(
    exchange: Exchange, tmp_path: Path
) -> None:
    file = tmp_path / "ETHUSDT-aggTrades-2024-05-01.csv"
    prices = [3_500 - step for step in range(60)]
    lines = [
        f"{n},{price}.00,0.5,{n},{n},{1_714_521_600_000 + n},true,true" for n, price in enumerate(prices)
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    account, market = exchange.account(USDT=10_000), exchange.market("ETHUSDT")
    limit(account, "BUY", "0.1", "3480", "ETHUSDT")
    found = exchange.replay(file, levels=3)
    assert (found["prints"], found["adapted"]) == (60, 0)
    assert found["trades"] == found["trades_ledger"] >= 60
    assert market.price == prices[-1]
    assert account.wait_for_fills("ETHUSDT")[0].price == 3_480
    exchange.clean()
    assert market.price == 3_500
    assert len(market.book()["bids"]) == 20
    with pytest.raises(BenchError, match="there is no such file"):
        exchange.replay(tmp_path / "ETHUSDT-1m-2024.csv")


def test_a_halted_market_refuses(exchange: Exchange) -> None:
    account, market = exchange.account(USDT=10_000), exchange.market("BTCUSDT")
    market.halt()
    with pytest.raises(BenchError):
        limit(account, "BUY", "0.1", "60000")
    market.resume()
    limit(account, "BUY", "0.1", "60000")


def test_the_engine_s_clock_is_seen_to_go_on(exchange: Exchange) -> None:
    before = exchange.clock_ms()
    exchange.market("BTCUSDT").jump_to(65_010)
    assert before <= exchange.clock_ms() <= time.time_ns() // 1_000_000


def test_cleaning_costs_what_the_document_says(exchange: Exchange) -> None:
    """In processor time of the exchange, which a busy machine does not change as it does the clock's."""
    account = exchange.account(USDT=100_000)
    process = psutil.Process(exchange.ask("GET", "/bench/clock")["pid"])
    costs_ms = []
    for _ in range(10):
        account.request("POST", "/api/v3/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01")
        before = sum(process.cpu_times()[:2])
        exchange.clean()
        costs_ms.append(1_000 * (sum(process.cpu_times()[:2]) - before))
    assert statistics.median(costs_ms) <= CLEAN_MS_MAX, costs_ms


@pytest.fixture(scope="module")
def many_markets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the two markets that a suite might bring."""
    file = tmp_path_factory.mktemp("markets") / "markets.toml"
    text = (ROOT / "matching_engine" / "markets.toml").read_text("utf-8")
    first, _, rest = text.partition("[[markets]]")
    market = "[[markets]]" + rest.partition("[[markets]]")[0].replace('base = "BTC"', 'base = "SOL"')
    file.write_text(f'{first}[[assets]]\ncode = "SOL"\ndecimals = 8\n\n{market}', "utf-8")
    return file


@pytest.mark.thorough
def test_markets_of_one_s_own_and_prices_to_begin_with(many_markets: Path) -> None:
    with Exchange(many_markets, prices={"SOLUSDT": "150.25"}) as exchange:
        assert exchange.market("SOLUSDT").price == Decimal("150.25")
        account = exchange.account(SOL=10)
        limit(account, "SELL", "1", "151", "SOLUSDT")
        exchange.market("SOLUSDT").walk_to(152)
        assert account.balances()["SOL"] == 9


def test_a_start_imports_nothing_that_it_does_not_use() -> None:
    """The cheap twin of the next one: clients of HTTP, libraries of keys and of command lines."""
    program = (
        "import sys\nimport bench.serving.__main__, bench.serving.running\n"
        "print('redis' in sys.modules)\nimport bench.serving.opening\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    before_servers, imported = done.stdout.splitlines()
    assert before_servers == "False", "it would be waited for before PostgreSQL begins to start"
    assert {"redis", "fastapi", "services"} <= set(imported.split())
    assert not set(imported.split()) & {"httpx", "joserfc", "typer", "rich", "pygments", "aiokafka", "boto3"}


@pytest.mark.thorough
def test_a_start_costs_what_the_readme_says() -> None:
    """In processor time, servers included, which a busy machine changes less than it does the clock's."""
    costs_s = []
    for _ in range(3):
        with Exchange() as exchange:
            process = psutil.Process(exchange.ask("GET", "/bench/clock")["pid"])
            parts = [process, *process.children(recursive=True)]
            costs_s.append(sum(sum(part.cpu_times()[:2]) for part in parts))
    told = re.search(r"bench starts in ([\d.]+) s of processor time", (ROOT / "README.md").read_text("utf-8"))
    assert told is not None
    assert min(costs_s) <= START_CPU_S_MAX, costs_s
    assert 0.5 * float(told[1]) <= min(costs_s) <= 1.2 * float(told[1]), costs_s


@pytest.mark.thorough
def test_a_bench_with_a_past_has_candles_for_a_strategy_that_looks_back() -> None:
    with Exchange(history=True) as exchange:
        for interval in ("1m", "1h", "1d"):
            candles = exchange.ask("GET", f"/api/v3/klines?symbol=ETHUSDT&interval={interval}&limit=500")
            assert len([candle for candle in candles if candle[8]]) >= 200, interval
        exchange.clean()
        assert exchange.market("ETHUSDT").price == 3_500
        assert len(exchange.market("ETHUSDT").book()["bids"]) == 20


@pytest.mark.thorough
def test_it_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, json, time\nfrom bench import Exchange\ne = Exchange(); e.start()\n"
        "print(json.dumps(e.ask('GET', '/bench/clock')['pid']), flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    pid = json.loads(done.stdout)
    give_up = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_the_plugin_gives_a_clean_exchange_to_each_test(tmp_path: Path, bench_exchange: Exchange) -> None:
    """The README of a stranger's suite: nothing but the fixture."""
    suite = tmp_path / "test_stranger.py"
    suite.write_text(
        "def test_first(exchange):\n"
        "    exchange.market('BTCUSDT').walk_to(66_000)\n"
        "def test_second(exchange):\n"
        "    assert exchange.market('BTCUSDT').price == 65_000\n",
        "utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bench.pytest_plugin", "-p", "no:cacheprovider"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "EXCHANGE_BENCH_URL": bench_exchange.url}
    done = subprocess.run(
        [*command, str(suite)], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert re.search(r"2 passed", done.stdout), done.stdout + done.stderr


def test_stopping_what_never_ran_is_nothing() -> None:
    Exchange().stop()


def test_another_interpreter_has_packages_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot's pins must not hide the exchange's: it was started with the bot's folder first on its path."""
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\nprintf \'{"url": "path=%s"}\\n\' "$PYTHONPATH"\nread end\n', "utf-8")
    interpreter.chmod(0o755)
    monkeypatch.setenv("EXCHANGE_BENCH_PYTHON", str(interpreter))
    monkeypatch.setenv("PYTHONPATH", "/somebody/s/pins")
    exchange = Exchange()
    exchange.start()
    assert exchange.url == "path="
    exchange.stop()


class Forgetful(BaseHTTPRequestHandler):
    """Keeps a connection, says so, and closes it after one answer, as servers do after some idle seconds."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One answer."""
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_connection_that_has_been_idle_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that thinks for long found the bench "gone": the server had closed the connection meanwhile."""
    monkeypatch.setattr(control, "_IDLE_S_MAX", -1.0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Forgetful) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asking = control.Control(f"http://127.0.0.1:{server.server_port}")
        assert [asking.ask("GET", "/") for _ in range(3)] == [{}, {}, {}]
        asking.close()
        server.shutdown()


def test_a_suite_with_pins_of_its_own_needs_nothing_of_the_exchange_s() -> None:
    """What a bot's environment imports of the bench is the bench itself and the standard library."""
    program = (
        "import sys, bench, bench.account, bench.exchange; "
        "names = {name.partition('.')[0] for name in sys.modules}; "
        "print(*names - {*sys.stdlib_module_names, 'bench', '__main__'})"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == []
