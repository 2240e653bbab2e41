"""Prevented self-trades are told of everywhere: answers, streams, questions (binance-spot-api 2.8)."""

import itertools
from typing import Any

import pytest

from exchange.contracts import codes
from services.order.shapes.prevention import match_row, matches_of_orders
from services.order.view.model import OrderRecord
from tests.conformance import covers
from tests.unit.order.order_exchange import ALICE, OrderExchange, limit_order
from tests.unit.order.test_ws_api import events_until_quiet
from tests.unit.order.ws_client import connected

MAKER_LOTS, TAKER_LOTS = "1.00000000", "3.00000000"


async def self_trade(exchange: OrderExchange, mode: str) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """A sell of 1 on the book, a buy of 3 against it: the maker's answer, the taker's, and the reports."""
    maker = (await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50000", "1"))).json()
    async with connected(exchange) as socket:
        await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
        taker = await exchange.request(
            "POST", "/order", ALICE, **limit_order("BUY", "50001", "3", selfTradePreventionMode=mode)
        )
        events = await events_until_quiet(socket)
    return maker, taker.json(), [event for event in events if event.get("x") == "TRADE_PREVENTION"]


async def status(exchange: OrderExchange, order_id: int) -> dict[str, Any]:
    answer = await exchange.request("GET", "/order", ALICE, symbol="BTCUSDT", orderId=order_id)
    shape: dict[str, Any] = answer.json()
    return shape


@covers("mode EXPIRE_MAKER")
async def test_a_maker_that_expires(exchange: OrderExchange) -> None:
    maker, taker, (report,) = await self_trade(exchange, "EXPIRE_MAKER")
    match_id = taker["preventedMatches"][0]["preventedMatchId"]
    assert taker["status"] == "NEW"
    assert taker["preventedMatches"] == [
        {
            "preventedMatchId": match_id,
            "makerOrderId": maker["orderId"],
            "price": "50000.00000000",
            "makerPreventedQuantity": MAKER_LOTS,
        }
    ]
    assert "preventedQuantity" not in taker
    found = await status(exchange, maker["orderId"])
    assert (found["preventedMatchId"], found["preventedQuantity"]) == (match_id, MAKER_LOTS)
    assert "preventedMatchId" not in await status(exchange, taker["orderId"])
    assert (report["i"], report["U"], report["v"], report["u"]) == (
        maker["orderId"], taker["orderId"], match_id, -1,
    )  # fmt: skip
    assert (report["A"], report["B"], report["pl"], report["pL"], report["pY"]) == (
        MAKER_LOTS, MAKER_LOTS, MAKER_LOTS, "50000.00000000", "50000.00000000",
    )  # fmt: skip
    assert report["X"] == "EXPIRED_IN_MATCH"


@covers("mode EXPIRE_TAKER")
async def test_a_taker_that_expires(exchange: OrderExchange) -> None:
    maker, taker, (report,) = await self_trade(exchange, "EXPIRE_TAKER")
    assert (taker["status"], taker["preventedQuantity"], taker["tradeGroupId"]) == (
        "EXPIRED_IN_MATCH", TAKER_LOTS, -1,
    )  # fmt: skip
    match_id = taker["preventedMatchId"]
    assert taker["preventedMatches"] == [
        {
            "preventedMatchId": match_id,
            "makerOrderId": maker["orderId"],
            "price": "50000.00000000",
            "takerPreventedQuantity": TAKER_LOTS,
        }
    ]
    found = await status(exchange, taker["orderId"])
    assert (found["preventedMatchId"], found["preventedQuantity"]) == (match_id, TAKER_LOTS)
    assert (report["v"], report["A"], report["pl"], report["pL"]) == (
        match_id, TAKER_LOTS, MAKER_LOTS, "50000.00000000",
    )  # fmt: skip


@covers("mode EXPIRE_BOTH")
async def test_both_expire_in_one_match(exchange: OrderExchange) -> None:
    maker, taker, reports = await self_trade(exchange, "EXPIRE_BOTH")
    match_id = taker["preventedMatchId"]
    assert taker["preventedMatches"] == [
        {
            "preventedMatchId": match_id,
            "makerOrderId": maker["orderId"],
            "price": "50000.00000000",
            "takerPreventedQuantity": TAKER_LOTS,
            "makerPreventedQuantity": MAKER_LOTS,
        }
    ]
    assert [report["v"] for report in reports] == [match_id, match_id]
    for order_id in (maker["orderId"], taker["orderId"]):
        assert (await status(exchange, order_id))["preventedMatchId"] == match_id


@covers("mode NONE")
async def test_without_prevention_one_trades_with_oneself(exchange: OrderExchange) -> None:
    _, taker, reports = await self_trade(exchange, "NONE")
    assert (taker["executedQty"], reports) == (MAKER_LOTS, [])
    assert "preventedMatches" not in taker


async def test_ids_rise_in_time_whatever_ends_or_shrinks(exchange: OrderExchange) -> None:
    """Kinds of matches in turn against one resting order, and of what is older after what is newer."""
    first = (await exchange.request("POST", "/order", ALICE, **limit_order("SELL", "50001", "1"))).json()
    resting = (await exchange.request("POST", "/order", ALICE, **limit_order("BUY", "50000", "9"))).json()
    seen: list[int] = []
    for mode in ("EXPIRE_TAKER", "DECREMENT", "EXPIRE_TAKER", "DECREMENT"):
        sale = limit_order("SELL", "50000", "0.5", selfTradePreventionMode=mode)
        placed = (await exchange.request("POST", "/order", ALICE, **sale)).json()
        seen.append(placed["preventedMatches"][0]["preventedMatchId"])
        assert (await status(exchange, placed["orderId"]))["preventedMatchId"] == seen[-1]
    # The oldest order of all ends last: its id is the newest all the same.
    purchase = limit_order("BUY", "50001", "1", selfTradePreventionMode="EXPIRE_BOTH")
    last = (await exchange.request("POST", "/order", ALICE, **purchase)).json()
    (match,) = last["preventedMatches"]
    assert match["makerOrderId"] == first["orderId"] < resting["orderId"]
    seen.append(match["preventedMatchId"])
    for order_id in (first["orderId"], last["orderId"]):
        assert (await status(exchange, order_id))["preventedMatchId"] == seen[-1]
    assert seen == sorted(set(seen))
    assert seen[-1] < 2**52


def order(order_id: int, counter_order_id: int, mode: int, lots: int, match_id: int = 0) -> OrderRecord:
    return OrderRecord(
        order_id, ALICE, 1, f"o{order_id}", codes.BUY, codes.LIMIT, codes.GTC, 5_000_000 + order_id, lots, 0,
        mode, 0, 0, codes.EXPIRED_IN_MATCH if counter_order_id else codes.NEW,
        codes.CLOSED_SELF_TRADE if counter_order_id else 0, 5, 7, 5, counter_order_id,
        prevented_match_id=match_id or 100 + order_id,
    )  # fmt: skip


@pytest.mark.parametrize("mode", sorted(codes.STP_NAMES.keys() - {codes.STP_NONE}))
def test_matches_have_one_id_each_whatever_order_they_are_asked_by(mode: int) -> None:
    """One taker, 9, against makers 3 and 5, as the ledger has them."""
    ends_maker, ends_taker = mode != codes.STP_EXPIRE_TAKER, mode != codes.STP_EXPIRE_MAKER
    makers = [3] if ends_taker else [3, 5]
    orders = {one: order(one, 9 if ends_maker else 0, codes.STP_NONE, one) for one in makers}
    orders[9] = order(9, makers[0] if ends_taker else 0, mode, 30, 103 if ends_maker else 109)
    closed = [one for one in orders.values() if one.counter_order_id]
    found = [matches_of_orders(some, orders.values()) for some in itertools.permutations(closed)]
    assert all(matches == found[0] for matches in found)
    assert [match.match_id for match in found[0]] == (
        [109] if not ends_maker else [100 + one for one in makers]
    )
    for match in found[0]:
        assert (match.taker_order_id, match.stp_mode, match.time_ms) == (9, mode, 7)
        assert match.price_ticks == 5_000_000 + match.maker_order_id
        assert match.taker_lots == (30 if ends_taker else 0)
        assert match.maker_lots == (match.maker_order_id if ends_maker else 0)


async def test_a_match_is_a_row_with_binances_keys(exchange: OrderExchange) -> None:
    (match,) = matches_of_orders(
        [order(3, 9, codes.STP_NONE, 100)], [order(9, 0, codes.STP_EXPIRE_MAKER, 300)]
    )
    row = match_row(exchange.service.engine.view.markets[1], match, 1_000)
    assert row == {
        "symbol": "BTCUSDT", "preventedMatchId": 103, "takerOrderId": 9, "makerSymbol": "BTCUSDT",
        "makerOrderId": 3, "tradeGroupId": -1, "selfTradePreventionMode": "EXPIRE_MAKER",
        "price": "50000.03000000", "makerPreventedQuantity": "0.00100000", "transactTime": 7_000,
    }  # fmt: skip
