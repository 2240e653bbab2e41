"""What holds money, and how its owner hears of it."""

from typing import Any

from exchange.contracts.commands import ReleaseWithdrawal, ReserveWithdrawal, SettleWithdrawal
from tests.conformance import covers
from tests.event_streams import ONE
from tests.unit.order.order_exchange import ALICE, OrderExchange
from tests.unit.order.test_ws_api import events_until_quiet, socket
from tests.unit.order.ws_client import WsClient

__all__ = ["socket"]


@covers("externalLockUpdate")
async def test_whatever_holds_money_is_told_by_the_position_for_nobody_outside_locks_any(
    exchange: OrderExchange, socket: WsClient
) -> None:
    await socket.ask_signed("userDataStream.subscribe.signature", ALICE)
    usdt = 3
    held = []
    for command in (
        ReserveWithdrawal(0, ALICE, usdt, 5 * ONE, 1, "somewhere"),
        ReleaseWithdrawal(0, 1),
        ReserveWithdrawal(0, ALICE, usdt, 7 * ONE, 2, "somewhere"),
        SettleWithdrawal(0, 2),
    ):
        exchange.stream.apply(command)
        await exchange.publish()
        events = await events_until_quiet(socket)
        assert {event["e"] for event in events} <= {"balanceUpdate", "outboundAccountPosition"}
        rows: Any = events[-1]["B"]
        (row,) = rows
        held.append((row["f"], row["l"]))
    assert held == [
        ("999995.00000000", "5.00000000"),
        ("1000000.00000000", "0.00000000"),
        ("999993.00000000", "7.00000000"),
        ("999993.00000000", "0.00000000"),
    ]
