"""accountSnapshot: which days are asked for, and the shape in which one is told."""

from collections.abc import Mapping
from typing import Final

from exchange.contracts.errors import ApiError, bad_combination, invalid_data
from exchange.http.query_parameters import Parameters, integer, time_ms
from exchange.trading.intervals import DAY_MS
from services.order.view.model import Asset
from services.order.wallet.days import DAYS_MAX, Balance

__all__ = ["chosen_days", "day_shape"]

# How many days are told where nobody says, and the least that one may ask for.
_DAYS_MIN: Final = 7


def chosen_days(parameters: Parameters, now_ms: int) -> range:
    """The newest whole days (UTC, from 1970 on) that are asked for. Raises -1127, -1128, -1130."""
    start_ms, end_ms = time_ms(parameters, "startTime"), time_ms(parameters, "endTime")
    if start_ms is not None and end_ms is not None:
        if start_ms > end_ms:
            raise bad_combination()
        if end_ms - start_ms > DAYS_MAX * DAY_MS:
            raise ApiError(-1127, "More than 720 hours between startTime and endTime.")
    count = integer(parameters, "limit")
    if count is None:
        count = _DAYS_MIN
    if not _DAYS_MIN <= count <= DAYS_MAX:
        raise invalid_data("limit")
    today = now_ms // DAY_MS
    stop = today if end_ms is None else min(today, (end_ms + 1_000) // DAY_MS)
    # The first whose end is not before the start.
    first = 0 if start_ms is None else (start_ms + 1_000 - 1) // DAY_MS
    return range(max(first, stop - count, today - DAYS_MAX), stop)


def day_shape(day: int, balances: Mapping[int, Balance], assets: Mapping[int, Asset]) -> dict[str, object]:
    """A day's balances as Binance tells them; nothing is valued in another asset here."""
    rows = [
        {
            "asset": assets[asset_id].code,
            "free": assets[asset_id].text(balance.available_atoms),
            "locked": assets[asset_id].text(balance.held_atoms),
        }
        for asset_id, balance in balances.items()
    ]
    return {
        "type": "spot",
        "updateTime": _end_ms(day),
        "data": {"totalAssetOfBtc": "0", "balances": rows},
    }


def _end_ms(day: int) -> int:
    """The second at which Binance dates a day's end: its last."""
    return (day + 1) * DAY_MS - 1_000
