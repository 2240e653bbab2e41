"""Fees at the doors: every place that names a rate names the one that the next trade pays (ADR 0047)."""

from exchange.contracts.fee_commands import SetMarketFees
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, BOB, OrderExchange, limit_order


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
