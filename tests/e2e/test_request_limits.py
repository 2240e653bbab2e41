"""An exchange that enforces its request limits, as deployed: what unmodified ccxt makes of it."""

from collections.abc import Callable, Iterator

import ccxt
import pytest

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
