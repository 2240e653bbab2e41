"""An account of a test: its money and keys, and what has become of its orders."""

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from bench.control import BenchError, Control

__all__ = ["Account", "Fill"]

_POLL_S: Final = 0.02
_FILLS_MAX: Final = 1_000


class Fill(NamedTuple):
    """One trade of an account. `fee` is in `fee_asset`; `time_ms` is the engine's clock."""

    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    order_id: int
    trade_id: int
    time_ms: int


@dataclass(frozen=True)
class Account:
    """Made by `Exchange.account`. What it asks goes over the public API, signed as a bot's requests are."""

    control: Control = field(repr=False)
    user_id: int
    api_key: str
    secret_key: str = field(repr=False)
    email: str
    password: str = field(repr=False)

    def request(self, method: str, path: str, **parameters: object) -> Any:
        """One signed request. Raises BenchError with the API's code."""
        query = urlencode({**parameters, "timestamp": int(time.time() * 1_000)})
        signature = hmac.new(self.secret_key.encode(), query.encode(), hashlib.sha256).hexdigest()
        return self.control.ask(
            method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": self.api_key}
        )

    def balances(self) -> dict[str, Decimal]:
        """What is free, by asset; nothing for what it never had."""
        rows = self.request("GET", "/api/v3/account", omitZeroBalances="true")["balances"]
        return {row["asset"]: Decimal(row["free"]) for row in rows}

    def locked(self) -> dict[str, Decimal]:
        """What open orders hold, by asset."""
        rows = self.request("GET", "/api/v3/account", omitZeroBalances="true")["balances"]
        return {row["asset"]: Decimal(row["locked"]) for row in rows if Decimal(row["locked"])}

    def open_orders(self, symbol: str = "") -> list[dict[str, Any]]:
        """Open orders as the API shows them."""
        found: list[dict[str, Any]] = self.request(
            "GET", "/api/v3/openOrders", **({"symbol": symbol} if symbol else {})
        )
        return found

    def fills(self, symbol: str) -> list[Fill]:
        """The account's trades in one market, oldest first."""
        rows = self.request("GET", "/api/v3/myTrades", symbol=symbol, limit=_FILLS_MAX)
        return [_fill(row) for row in rows]

    def wait_for_fills(self, symbol: str, count: int = 1, timeout_s: float = 5.0) -> list[Fill]:
        """The trades once there are `count` of them. Raises BenchError when they do not come in time."""
        give_up = time.monotonic() + timeout_s
        while True:
            found = self.fills(symbol)
            if len(found) >= count:
                return found
            if time.monotonic() >= give_up:
                raise BenchError(f"{len(found)} fills in {symbol} after {timeout_s:g} s, not {count}")
            time.sleep(_POLL_S)


def _fill(row: dict[str, Any]) -> Fill:
    return Fill(
        row["symbol"],
        "BUY" if row["isBuyer"] else "SELL",
        Decimal(row["price"]),
        Decimal(row["qty"]),
        Decimal(row["commission"]),
        row["commissionAsset"],
        bool(row["isMaker"]),
        int(row["orderId"]),
        int(row["id"]),
        int(row["time"]),
    )
