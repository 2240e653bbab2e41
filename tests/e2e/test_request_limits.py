"""An exchange that enforces its request limits, as deployed: what unmodified ccxt makes of it."""

import json
from collections.abc import Callable, Iterator

import ccxt
import httpx
import pytest
from websockets.sync.client import connect

from local.exchange_process import ExchangeProcess
from tests.e2e.ccxt_setup import ccxt_settings
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]

# 24 books of 250 weigh as much as an address may use in a minute. A new minute may begin meanwhile, once.
BOOKS_MAX = 60


@pytest.fixture(params=["run", pytest.param("stack", marks=pytest.mark.thorough)])
def strict_exchange(request: pytest.FixtureRequest) -> Iterator[ExchangeProcess]:
    """All in one process; where there is time, too, processes that hear of each other's counts."""
    with ExchangeProcess(request.param, settings={"REQUEST_LIMITS": "1"}) as process:
        yield process


def used(answer: httpx.Response) -> int:
    return int(answer.headers["X-MBX-USED-WEIGHT-1M"])


def test_all_services_of_a_process_count_an_address_once(embedded_exchange: ExchangeProcess) -> None:
    """Each answer tells what the one before it told, and what this request weighs."""
    trader = Trader.sign_up(embedded_exchange.url, deposits={"USDT": "1000"})
    url = embedded_exchange.url

    def asked_in_turns() -> None:
        with httpx.Client(base_url=url, trust_env=False) as client:
            count = used(client.get("/api/v3/ping"))
            for _ in range(3):
                assert used(trader.signed("GET", "/api/v3/account")) == count + 20
                assert used(client.get("/api/v3/depth?symbol=BTCUSDT&limit=500")) == count + 45
                client.get("/v1/assets")
                count = used(client.get("/api/v3/ping"))
            with connect(f"{url.replace('http', 'ws')}/ws-api/v3", proxy=None) as socket:
                socket.send(
                    json.dumps({"id": 1, "method": "depth", "params": {"symbol": "BTCUSDT", "limit": 500}})
                )
                reply = json.loads(socket.recv())
            # Two for the connection; and who asks by a socket pays once, not again to whom the socket asks.
            assert (reply["status"], reply["rateLimits"][0]["count"]) == (200, count + 27)
            assert used(client.get("/api/v3/ping")) == count + 28

    try:
        # A new minute begins with nothing used.
        eventually(asked_in_turns)
    finally:
        trader.close()


def is_refused(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ccxt.DDoSProtection as error:
        return "Too much request weight used" in str(error)
    return False


def test_a_bot_that_polls_too_much_is_told_so_by_every_service(strict_exchange: ExchangeProcess) -> None:
    trader = Trader.sign_up(strict_exchange.url, deposits={"USDT": "1000"})
    client = ccxt.binance(ccxt_settings(strict_exchange.url, trader.credentials, {}))
    client.enableRateLimit = False
    client.load_markets()

    def refused_by_both() -> None:
        assert is_refused(lambda: [client.fetch_order_book("BTC/USDT", limit=5000) for _ in range(BOOKS_MAX)])
        assert 1 <= int(client.last_response_headers["Retry-After"]) <= 60
        # Another process: it hears a second later what was used there.
        assert is_refused(client.fetch_balance)

    try:
        eventually(refused_by_both)
    finally:
        client.session.close()
        trader.close()
