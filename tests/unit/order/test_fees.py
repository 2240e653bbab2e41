"""Fees at the doors: every place that names a rate names the one that the next trade pays (ADR 0047)."""

import orjson

from exchange.contracts import codes
from exchange.contracts.commands import Command, CreditDeposit, PlaceOrder
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from services.order.user_data.hub import Subscription
from tests.conformance import covers
from tests.event_streams import ONE
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order

ETH, USDT = 2, 3


async def rates(exchange: OrderExchange, user_id: int, symbol: str = "BTCUSDT") -> list[tuple[str, str]]:
    """Maker's and taker's rate: of the account and symbol, of an order that is tested, of the fee table."""
    commission = (await exchange.request("GET", "/account/commission", user_id, symbol=symbol)).json()
    tested = await exchange.request(
        "POST", "/order/test", user_id, **limit_order("BUY", "50000", "1", computeCommissionRates="true")
    )
    order = tested.json()["standardCommissionForOrder"]
    (row,) = (await exchange.request("GET", "/sapi/v1/asset/tradeFee", user_id, symbol=symbol)).json()
    standard = commission["standardCommission"]
    return [
        (standard["maker"], standard["taker"]),
        (order["maker"], order["taker"]),
        (row["makerCommission"], row["takerCommission"]),
    ]


@covers("GET /account/commission")
async def test_every_door_names_the_market_s_new_fees_and_a_fill_pays_them(exchange: OrderExchange) -> None:
    assert await rates(exchange, ALICE) == [("0.00100000", "0.00100000")] * 3
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.5"))
    exchange.stream.apply(SetMarketFees(1, 1, 200, 400))
    await exchange.publish()
    assert await rates(exchange, ALICE) == [("0.00020000", "0.00040000")] * 3
    account = (await exchange.request("GET", "/account", BOB)).json()
    assert account["commissionRates"]["taker"] == "0.00040000"
    assert (account["makerCommission"], account["takerCommission"]) == (2, 4)
    answer = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "0.5"))
    (fill,) = answer.json()["fills"]
    assert (fill["commission"], fill["commissionAsset"]) == ("0.00020000", "BTC")


async def test_who_is_in_a_tier_reads_his_own_rates_everywhere(exchange: OrderExchange) -> None:
    exchange.stream.apply(SetFeeTier(1, 2, USDT, 1, 500_000, 750_000), SetAccountTier(2, BOB, 2))
    await exchange.publish()
    assert await rates(exchange, BOB) == [("0.00050000", "0.00075000")] * 3
    assert await rates(exchange, ALICE) == [("0.00100000", "0.00100000")] * 3
    account = (await exchange.request("GET", "/account", BOB)).json()
    assert account["commissionRates"]["maker"] == "0.00050000"
    for user_id, level in ((BOB, 2), (ALICE, 0)):
        info = (await exchange.request("GET", "/sapi/v1/account/info", user_id)).json()
        assert info["vipLevel"] == level
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.5"))
    answer = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "0.5"))
    assert [fill["commission"] for fill in answer.json()["fills"]] == ["0.00037500"]
    exchange.stream.apply(SetFeeTier(3, 2, USDT, 0, 0, 0))
    await exchange.publish()
    assert await rates(exchange, BOB) == [("0.00100000", "0.00100000")] * 3
    assert (await exchange.request("GET", "/sapi/v1/account/info", BOB)).json()["vipLevel"] == 0


def priced() -> list[Command]:
    """Fees may be paid in ETH, which has cost 2,500 USDT; Bob has some."""
    return [
        CreditDeposit(11, ALICE, ETH, ONE, 901),
        CreditDeposit(12, BOB, ETH, ONE, 902),
        PlaceOrder(13, ALICE, 2, "e1", codes.SELL, codes.LIMIT, codes.GTC, 250_000, 100, 0, 1, 0),
        PlaceOrder(14, BOB, 2, "e2", codes.BUY, codes.LIMIT, codes.GTC, 250_000, 100, 0, 1, 0),
        SetFeeDiscount(15, ETH, 250_000),
    ]


async def switch(exchange: OrderExchange, user_id: int, value: str) -> object:
    answer = await exchange.request("POST", "/sapi/v1/bnbBurn", user_id, spotBNBBurn=value)
    assert answer.status_code == 200
    assert (await exchange.request("GET", "/sapi/v1/bnbBurn", user_id)).json() == answer.json()
    return answer.json()["spotBNBBurn"]


async def test_discount_is_switched_on_and_every_fill_names_the_asset_in_which_it_was_paid(
    exchange: OrderExchange,
) -> None:
    exchange.stream.apply(*priced())
    await exchange.publish()
    commission = (await exchange.request("GET", "/account/commission", BOB, symbol="BTCUSDT")).json()
    offered = {"enabledForSymbol": True, "discountAsset": "ETH", "discount": "0.75000000"}
    assert commission["discount"] == {"enabledForAccount": False, **offered}
    assert await switch(exchange, BOB, "true") is True
    commission = (await exchange.request("GET", "/account/commission", BOB, symbol="BTCUSDT")).json()
    assert commission["discount"] == {"enabledForAccount": True, **offered}
    assert commission["standardCommission"]["taker"] == "0.00100000"
    tested = await exchange.request(
        "POST", "/order/test", BOB, **limit_order("BUY", "50000", "1", computeCommissionRates="true")
    )
    assert tested.json()["discount"] == commission["discount"]
    reports: list[dict[str, object]] = []
    exchange.service.hub.subscribe(Subscription(BOB, 1, lambda sent: reports.append(orjson.loads(sent))))
    await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "0.5"))
    answer = await exchange.request("POST", "/order", BOB, **limit_order("BUY", "50000", "0.5"))
    (fill,) = answer.json()["fills"]
    # 25,000 USDT, a thousandth of it, less a quarter: 18.75 USDT; at 2,500 USDT that is 0.0075 ETH.
    assert (fill["commission"], fill["commissionAsset"]) == ("0.00750000", "ETH")
    (report,) = [one for one in reports if one.get("x") == "TRADE"]
    assert (report["n"], report["N"]) == ("0.00750000", "ETH")
    (position,) = [one for one in reports if one["e"] == "outboundAccountPosition"]
    assert [row["a"] for row in position["B"]] == ["BTC", "USDT", "ETH"]  # type: ignore[attr-defined]
    account = (await exchange.request("GET", "/account", BOB)).json()
    free = {row["asset"]: row["free"] for row in account["balances"]}
    # Of ETH she had sold him 0.01, less a thousandth of it.
    assert (free["BTC"], free["ETH"]) == ("10.50000000", "1.00249000")


async def test_switch_is_sent_once_and_off_again(exchange: OrderExchange) -> None:
    for value, expected in (("true", True), ("true", True), ("false", False)):
        assert await switch(exchange, BOB, value) is expected
    assert [command.is_on for command in exchange.commands if isinstance(command, SwitchFeeDiscount)] == [
        1,
        0,
    ]


async def test_symbol_in_whose_quote_the_asset_has_no_price_is_not_discounted(
    exchange: OrderExchange,
) -> None:
    exchange.stream.apply(SetFeeDiscount(1, ETH, 250_000))
    await exchange.publish()
    discounts = {}
    for symbol in ("BTCUSDT", "ETHUSDT", "ETHBTC"):
        answer = await exchange.request("GET", "/account/commission", BOB, symbol=symbol)
        discounts[symbol] = answer.json()["discount"]["enabledForSymbol"]
    assert discounts == {"BTCUSDT": True, "ETHUSDT": True, "ETHBTC": True}
    exchange.stream.apply(SetFeeDiscount(1, USDT, 250_000))
    await exchange.publish()
    answer = await exchange.request("GET", "/account/commission", BOB, symbol="ETHBTC")
    assert answer.json()["discount"]["enabledForSymbol"] is False
