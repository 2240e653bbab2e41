"""Unmodified ccxt, synchronous: what a script written for Binance sees here."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.e2e.ccxt_setup import RESTRICTED_OPTIONS, ccxt_settings
from tests.e2e.conftest import SignUp
from tests.e2e.trader import Trader
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400)]

Connect = Callable[[Trader], ccxt.binance]
MINUTE_MS = 60_000
ATOM = Decimal("0.00000001")


# What restricted options leave out is what clients ask at their start: where they ask it makes no difference.
RESTRICTED = pytest.param(
    RESTRICTED_OPTIONS, id="restricted-options", marks=pytest.mark.thorough_for("stack")
)


@pytest.fixture(params=[pytest.param({}, id="default-options"), RESTRICTED])
def connect(request: pytest.FixtureRequest, exchange_url: str) -> Iterator[Connect]:
    """Makes clients whose base URLs all point at the exchange."""
    clients: list[ccxt.binance] = []

    def make(trader: Trader) -> ccxt.binance:
        clients.append(ccxt.binance(ccxt_settings(exchange_url, trader.credentials, dict(request.param))))
        return clients[-1]

    yield make
    for client in clients:
        client.session.close()


def number(value: Any) -> Decimal:
    """The exact decimal that a client's float or text was made from."""
    return Decimal(str(value))


def free(client: ccxt.binance, asset: str) -> Decimal:
    return number(client.fetch_balance()[asset]["free"])


def used(client: ccxt.binance, asset: str) -> Decimal:
    return number(client.fetch_balance()[asset]["used"])


def test_markets_load_with_their_rules(connect: Connect, sign_up: SignUp) -> None:
    markets = connect(sign_up({})).load_markets()
    assert {"BTC/USDT", "ETH/USDT", "ETH/BTC"} <= set(markets)
    for market in markets.values():
        assert market["spot"]
        assert market["active"]
        assert market["precision"]["price"] > 0
        assert market["precision"]["amount"] > 0
        assert market["limits"]["cost"]["min"] > 0


def test_an_order_rests_is_filled_by_another_account_and_the_rest_is_cancelled(
    connect: Connect, sign_up: SignUp
) -> None:
    """The whole life of an order, seen by both sides."""
    maker_trader, taker_trader = sign_up(), sign_up()
    maker, taker = connect(maker_trader), connect(taker_trader)
    maker.load_markets()
    taker.load_markets()

    before = free(maker, "BTC")
    maker_trader.deposit("BTC", "1.5")
    eventually(lambda: _equal(free(maker, "BTC"), before + Decimal("1.5")))

    order = maker.create_order("BTC/USDT", "limit", "sell", 0.5, 50_000)
    assert order["status"] == "open"
    assert number(order["remaining"]) == Decimal("0.5")
    assert [row["id"] for row in maker.fetch_open_orders("BTC/USDT")] == [order["id"]]
    assert used(maker, "BTC") == Decimal("0.5")
    eventually(lambda: _equal(maker.fetch_order_book("BTC/USDT")["asks"][0][:2], [50_000, 0.5]))

    fill = taker.create_order("BTC/USDT", "limit", "buy", 0.2, 50_100)
    assert fill["status"] == "closed"
    assert number(fill["average"]) == 50_000
    assert number(fill["cost"]) == 10_000
    _check_both_sides(maker, taker, order["id"], fill["id"])
    eventually(lambda: _equal(maker.fetch_order_book("BTC/USDT")["asks"][0][:2], [50_000, 0.3]))

    cancelled = maker.cancel_order(order["id"], "BTC/USDT")
    assert cancelled["status"] == "canceled"
    assert maker.fetch_open_orders("BTC/USDT") == []
    assert used(maker, "BTC") == 0
    final = maker.fetch_order(order["id"], "BTC/USDT")
    assert (final["status"], number(final["filled"])) == ("canceled", Decimal("0.2"))
    eventually(lambda: _equal(maker.fetch_order_book("BTC/USDT")["asks"], []))


def _equal(actual: object, expected: object) -> None:
    assert actual == expected


def _check_both_sides(maker: ccxt.binance, taker: ccxt.binance, maker_id: str, taker_id: str) -> None:
    """Fills, fees and balances after 0.2 BTC at 50,000, in the very next reads."""
    resting = maker.fetch_order(maker_id, "BTC/USDT")
    assert (resting["status"], number(resting["filled"])) == ("open", Decimal("0.2"))
    sold = maker.fetch_my_trades("BTC/USDT")[-1]
    bought = taker.fetch_my_trades("BTC/USDT")[-1]
    assert sold["id"] == bought["id"]
    assert (sold["order"], bought["order"]) == (maker_id, taker_id)
    assert (sold["takerOrMaker"], bought["takerOrMaker"]) == ("maker", "taker")
    assert (sold["side"], bought["side"]) == ("sell", "buy")
    assert number(sold["price"]) == number(bought["price"]) == 50_000

    rates = taker.fetch_trading_fee("BTC/USDT")
    assert bought["fee"]["currency"] == "BTC"
    assert sold["fee"]["currency"] == "USDT"
    assert abs(number(bought["fee"]["cost"]) - Decimal("0.2") * number(rates["taker"])) <= ATOM
    assert abs(number(sold["fee"]["cost"]) - 10_000 * number(rates["maker"])) <= ATOM

    assert free(taker, "BTC") == 100 + Decimal("0.2") - number(bought["fee"]["cost"])
    assert free(taker, "USDT") == 10_000_000 - 10_000
    assert used(taker, "USDT") == 0
    assert used(maker, "BTC") == Decimal("0.3")
    assert free(maker, "USDT") == 10_000_000 + 10_000 - number(sold["fee"]["cost"])


def test_trades_candles_ticker_and_book_tell_the_same_story(connect: Connect, sign_up: SignUp) -> None:
    maker, taker = connect(sign_up()), connect(sign_up())
    for price in (3_000, 3_010, 3_020):
        maker.create_order("ETH/USDT", "limit", "sell", 1, price)
    maker.create_order("ETH/USDT", "limit", "buy", 2, 2_990)
    taker.create_order("ETH/USDT", "market", "buy", 1.5)
    taker.create_order("ETH/USDT", "market", "sell", 0.25)

    def agree() -> None:
        trades = taker.fetch_trades("ETH/USDT", limit=1000)
        assert [number(t["price"]) for t in trades[-3:]] == [3_000, 3_010, 2_990]
        _check_candles(taker.fetch_ohlcv("ETH/USDT", "1m", limit=1000), trades)
        _check_ticker(taker.fetch_ticker("ETH/USDT"), trades)
        book = taker.fetch_order_book("ETH/USDT")
        assert book["asks"] == [[3_010, 0.5], [3_020, 1]]
        assert book["bids"] == [[2_990, 1.75]]

    eventually(agree)


def _check_candles(candles: list[list[float]], trades: list[dict[str, Any]]) -> None:
    """Each candle with trades is exactly what the trades of its minute make."""
    by_minute: dict[int, list[dict[str, Any]]] = {}
    for trade in trades:
        by_minute.setdefault(trade["timestamp"] // MINUTE_MS * MINUTE_MS, []).append(trade)
    traded = {int(candle[0]): candle for candle in candles if candle[5]}
    assert set(by_minute) == set(traded)
    for start_ms, group in by_minute.items():
        prices = [number(t["price"]) for t in group]
        _, opened, high, low, close, volume = (number(part) for part in traded[start_ms])
        assert (opened, high, low, close) == (prices[0], max(prices), min(prices), prices[-1])
        assert volume == sum(number(t["amount"]) for t in group)


def _check_ticker(ticker: dict[str, Any], trades: list[dict[str, Any]]) -> None:
    """The day's figures come from the same trades (the tests run far less than a day)."""
    prices = [number(t["price"]) for t in trades]
    assert number(ticker["last"]) == prices[-1]
    assert number(ticker["open"]) == prices[0]
    assert (number(ticker["high"]), number(ticker["low"])) == (max(prices), min(prices))
    assert number(ticker["baseVolume"]) == sum(number(t["amount"]) for t in trades)
    assert number(ticker["quoteVolume"]) == sum(number(t["price"]) * number(t["amount"]) for t in trades)
    assert (ticker["bid"], ticker["ask"]) == (2_990, 3_010)


def test_market_order_by_cost_spends_no_more_than_asked(connect: Connect, sign_up: SignUp) -> None:
    maker, taker = connect(sign_up()), connect(sign_up())
    maker.create_order("BTC/USDT", "limit", "sell", 1, 50_000)
    order = taker.create_market_buy_order_with_cost("BTC/USDT", 1_234.5)
    assert order["status"] == "closed"
    assert Decimal("1230") < number(order["cost"]) <= Decimal("1234.5")
    assert free(taker, "USDT") == 10_000_000 - number(order["cost"])


def test_editing_an_order_replaces_it(connect: Connect, sign_up: SignUp) -> None:
    client = connect(sign_up())
    order = client.create_order("ETH/BTC", "limit", "buy", 1, 0.05)
    edited = client.edit_order(order["id"], "ETH/BTC", "limit", "buy", 2, 0.051)
    assert edited["id"] != order["id"]
    assert [row["id"] for row in client.fetch_open_orders("ETH/BTC")] == [edited["id"]]
    assert client.fetch_order(order["id"], "ETH/BTC")["status"] == "canceled"


def test_the_wallet_answers_from_the_ledger(connect: Connect, sign_up: SignUp) -> None:
    client = connect(sign_up({"USDT": "100", "BTC": "2"}))
    client.load_markets()
    deposits = client.fetch_deposits()
    assert {(row["currency"], number(row["amount"]), row["status"]) for row in deposits} == {
        ("USDT", Decimal(100), "ok"),
        ("BTC", Decimal(2), "ok"),
    }
    assert [row["currency"] for row in client.fetch_deposits("BTC")] == ["BTC"]
    assert client.fetch_withdrawals() == []
    assert client.fetch_status()["status"] == "ok"
    fees = client.fetch_trading_fees()["BTC/USDT"]
    assert (number(fees["maker"]), number(fees["taker"])) == (Decimal("0.001"), Decimal("0.001"))


def test_refusals_have_the_error_classes_of_ccxt(connect: Connect, sign_up: SignUp) -> None:
    client = connect(sign_up({"USDT": "100"}))
    client.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order("BTC/USDT", "limit", "buy", 1, 50_000)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order("999999999", "BTC/USDT")
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("999999999", "BTC/USDT")
    with pytest.raises(ccxt.InvalidOrder, match="PRICE_FILTER"):
        client.create_order("BTC/USDT", "limit", "buy", 0.001, 2_000_000)
    with pytest.raises(ccxt.InvalidOrder, match="LOT_SIZE"):
        client.create_order("BTC/USDT", "limit", "buy", 100_000, 50_000)
    # ccxt knows this filter's code only, not its name.
    with pytest.raises(ccxt.BadRequest, match="NOTIONAL"):
        client.create_order("BTC/USDT", "limit", "buy", 0.00001, 50_000)
    with pytest.raises(ccxt.BadSymbol):
        client.public_get_depth({"symbol": "NOSUCH"})
    assert free(client, "USDT") == 100


def test_post_only_that_would_take_is_refused(connect: Connect, sign_up: SignUp) -> None:
    maker, taker = connect(sign_up()), connect(sign_up())
    maker.create_order("BTC/USDT", "limit", "sell", 0.1, 50_000)
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        taker.create_order("BTC/USDT", "limit", "buy", 0.1, 50_001, {"postOnly": True})
    assert taker.fetch_open_orders("BTC/USDT") == []


def test_a_wrong_secret_is_an_authentication_error(
    connect: Connect, sign_up: SignUp, exchange_url: str
) -> None:
    trader = sign_up({})
    client = connect(trader)
    client.secret = "0" * 64
    with pytest.raises(ccxt.AuthenticationError):
        client.fetch_balance()
    client.apiKey = "x" * 64
    with pytest.raises(ccxt.AuthenticationError):
        client.fetch_balance()
