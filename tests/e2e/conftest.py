"""Whole exchanges for unmodified clients: the embedded one and the stack, each started once; one more for
the terminal, whose browsers take as long as all other tests together."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest

from local.exchange_process import ExchangeProcess
from tests.e2e.browser import Page, open_page
from tests.e2e.journal import Journal
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually

MODES = ("run", "stack")
TRADERS = 6
DEPOSITS = {"BTC": "100", "ETH": "1000", "USDT": "10000000"}
PLENTY: Mapping[str, str] = {"BTC": "100", "ETH": "1000", "USDT": "10000000"}

SignUp = Callable[..., Trader]


@pytest.fixture(scope="package")
def embedded_exchange() -> Iterator[ExchangeProcess]:
    """One embedded exchange for all but the terminal's tests; those marked `hurts` come last."""
    with ExchangeProcess("run") as process:
        yield process


@pytest.fixture(scope="package")
def stack_exchange() -> Iterator[ExchangeProcess]:
    """One stack for all tests; those marked `hurts` come last, and leave it whole, or fail."""
    with ExchangeProcess("stack") as process:
        yield process


@pytest.fixture(scope="package", params=MODES, ids=["embedded", "stack"])
def exchange(request: pytest.FixtureRequest) -> Iterator[ExchangeProcess]:
    """Either kind of exchange, as others have left it: their orders are cancelled."""
    name = "embedded_exchange" if request.param == "run" else "stack_exchange"
    process: ExchangeProcess = request.getfixturevalue(name)
    failed_before = request.session.testsfailed
    yield process
    if request.session.testsfailed > failed_before:
        print(process.log_tail())


@pytest.fixture
def exchange_url(exchange: ExchangeProcess) -> str:
    """Where the exchange answers."""
    return exchange.url


@pytest.fixture(scope="module")
def market(embedded_exchange: ExchangeProcess) -> Iterator[ExchangeProcess]:
    """An exchange with somebody to trade with, in place of the market maker and as the documents have it."""
    maker = Trader.sign_up(embedded_exchange.url, deposits={"BTC": "10", "USDT": "1000000"})
    for side, price in (("BUY", "59000"), ("SELL", "61000")):
        order: dict[str, str] = {"symbol": "BTCUSDT", "type": "LIMIT", "timeInForce": "GTC", "quantity": "5"}
        maker.ask("POST", "/api/v3/order", side=side, price=price, **order)
    yield embedded_exchange
    maker.cancel_everything()
    maker.close()


@pytest.fixture(scope="package")
def terminal_exchange() -> Iterator[ExchangeProcess]:
    """An embedded exchange for all tests of the terminal: each leaves no order that others would meet."""
    with ExchangeProcess("run") as process:
        yield process


@pytest.fixture(scope="package")
def stack_traders(stack_exchange: ExchangeProcess) -> Iterator[list[Trader]]:
    """Accounts that live through all that happens to the stack."""
    traders = [Trader.sign_up(stack_exchange.url, deposits=DEPOSITS) for _ in range(TRADERS)]
    yield traders
    for trader in traders:
        trader.close()


@pytest.fixture(scope="package")
def stack_journal() -> Journal:
    """One for the stack: what was acknowledged before the first fault is there after the last."""
    return Journal()


@pytest.fixture
def sign_up(exchange_url: str) -> Iterator[SignUp]:
    """Opens accounts; afterwards their open orders are cancelled, so that the next test finds empty books."""
    traders: list[Trader] = []

    def make(deposits: Mapping[str, str] = PLENTY) -> Trader:
        trader = Trader.sign_up(exchange_url, deposits=deposits)
        traders.append(trader)

        def is_funded() -> None:
            # The user service has told of the deposits; the order service hears of them by itself.
            assert set(trader.balances()) >= set(deposits)

        eventually(is_funded)
        return trader

    yield make
    for trader in traders:
        try:
            trader.cancel_everything()
        finally:
            trader.close()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser's empty tab."""
    async with open_page() as opened:
        yield opened


@pytest.fixture
def counterparty(terminal_exchange: ExchangeProcess) -> Iterator[Trader]:
    """Somebody else, who trades through the API."""
    trader = Trader.sign_up(terminal_exchange.url, deposits={"BTC": "10", "USDT": "1000000"})
    yield trader
    trader.cancel_everything()
    trader.close()
