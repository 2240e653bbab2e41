"""What one user of a load test asks next: 70 % place, 20 % cancel, 10 % look up. Both generators ask this.

`deep` orders rest where nobody can fill them; they are what is cancelled and looked up. Pure, but for chance.
"""

import hmac
import random
import time
from typing import Final, NamedTuple

from loadtest.accounts import TradingKey
from loadtest.orders import MARKETS, deep_order, near_order

__all__ = ["Asked", "Mix", "signed"]

DEEP_ORDERS_MAX: Final = 20
NEAR_SHARE: Final = 50
DEEP_SHARE: Final = 20
CANCEL_SHARE: Final = 20


class Asked(NamedTuple):
    """One request. `parameters` are not signed yet; `is_public` ones never are.

    `deep`: the symbol and client order id of the deep order that it places, if it does.
    """

    method: str
    path: str
    parameters: str
    is_public: bool = False
    deep: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Under which it is counted."""
        return f"{self.method} {self.path}"


class Mix:
    """One user. `prefix` begins the client order ids: nobody else's may begin so."""

    def __init__(self, number: int, prefix: str) -> None:
        self.chance = random.Random(number)
        self._prefix = prefix
        self._sent = 0
        self._deep: list[tuple[str, str]] = []

    def next(self) -> Asked:
        """Choose what to do. A cancel or a look-up needs an order; the first turns place some."""
        dice = self.chance.randrange(100)
        if dice < NEAR_SHARE or (dice < NEAR_SHARE + DEEP_SHARE and len(self._deep) >= DEEP_ORDERS_MAX):
            return self._place(*near_order(self.chance), is_deep=False)
        if dice < NEAR_SHARE + DEEP_SHARE or not self._deep:
            return self._place(*deep_order(self.chance), is_deep=True)
        if dice < NEAR_SHARE + DEEP_SHARE + CANCEL_SHARE:
            symbol, client_order_id = self._deep.pop(self.chance.randrange(len(self._deep)))
            text = f"symbol={symbol}&origClientOrderId={client_order_id}"
            return Asked("DELETE", "/api/v3/order", text)
        return self._look_up(dice % 4)

    def taken(self, asked: Asked) -> None:
        """The exchange has acknowledged it: a deep order may be cancelled from now on."""
        if asked.deep is not None:
            self._deep.append(asked.deep)

    def _place(self, symbol: str, text: str, is_deep: bool) -> Asked:
        self._sent += 1
        client_order_id = f"{self._prefix}{self._sent}"
        parameters = f"{text}&newClientOrderId={client_order_id}"
        deep = (symbol, client_order_id) if is_deep else None
        return Asked("POST", "/api/v3/order", parameters, deep=deep)

    def _look_up(self, kind: int) -> Asked:
        """An order's state, the open orders of a market, the account, or the public book."""
        symbol, client_order_id = self._deep[self.chance.randrange(len(self._deep))]
        if kind == 0:
            return Asked("GET", "/api/v3/order", f"symbol={symbol}&origClientOrderId={client_order_id}")
        if kind == 1:
            return Asked("GET", "/api/v3/openOrders", f"symbol={symbol}")
        if kind == 2:
            return Asked("GET", "/api/v3/account", "omitZeroBalances=true")
        market = self.chance.choice(MARKETS).symbol
        return Asked("GET", "/api/v3/depth", f"symbol={market}&limit=100", is_public=True)


def signed(key: TradingKey, parameters: str) -> str:
    """The parameters with timestamp and signature."""
    payload = f"{parameters}&timestamp={time.time_ns() // 1_000_000}"
    return f"{payload}&signature={hmac.digest(key.secret_key, payload.encode(), 'sha256').hex()}"
