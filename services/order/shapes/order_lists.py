"""An order list as answers and events tell it (binance-spot-api 2.6)."""

from typing import Final

from exchange.contracts import codes
from services.order.view.records import Market, OrderListRecord

__all__ = ["ALL_DONE", "EXECUTING", "EXEC_STARTED", "UPDATED", "order_list"]

EXEC_STARTED: Final = "EXEC_STARTED"
UPDATED: Final = "UPDATED"
ALL_DONE: Final = "ALL_DONE"
EXECUTING: Final = "EXECUTING"


def order_list(
    found: Market, one: OrderListRecord, unit: int, time_ms: int | None = None
) -> dict[str, object]:
    """A list as questions show it; `time_ms` when it is the answer to what has just been done."""
    return {
        "orderListId": one.order_list_id,
        "contingencyType": codes.CONTINGENCY_NAMES[one.contingency],
        "listStatusType": ALL_DONE if one.done_ms else EXEC_STARTED,
        "listOrderStatus": ALL_DONE if one.done_ms else EXECUTING,
        "listClientOrderId": one.list_client_order_id,
        "transactionTime": (one.created_ms if time_ms is None else time_ms) * unit,
        "symbol": found.rules.symbol,
        "orders": [
            {"symbol": found.rules.symbol, "orderId": order_id, "clientOrderId": name}
            for order_id, name in one.orders.items()
        ],
    }
