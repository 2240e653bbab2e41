"""What the bench's doors do, by public calls: for suites on an exchange that is no bench (docs/bots.md).

Accounts sign up and take their money from the faucet; a house of three such accounts moves prices. Bad days,
modes, replays and the engine's clock only a bench has.
"""

import collections
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from bench.account import Account
from bench.control import BenchError, Control
from bench.public_house import MONEY, PublicHouse, cancel_all

__all__ = ["PublicControl"]

# Whose orders `clean` cancels.
_ACCOUNTS_MAX: Final = 1_000
_PERMISSIONS: Final = ("READ", "TRADE")
_JSON: Final = {"Content-Type": "application/json"}
_FUNDED_DEADLINE_S: Final = 10.0
_FUNDED_POLL_S: Final = 0.02


class PublicControl(Control):
    """Asks an exchange; what only a bench would answer is done by public calls, or refused."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._accounts: collections.deque[Account] = collections.deque(maxlen=_ACCOUNTS_MAX)
        self._doors: dict[tuple[str, str], Callable[[dict[str, Any]], object]] = {
            ("POST", "/bench/accounts"): self._account,
            ("POST", "/bench/walk"): self._walk,
            ("POST", "/bench/empty"): self._empty,
            ("POST", "/bench/clean"): self._clean,
        }
        self._house = PublicHouse(self, lambda: self._funded(MONEY, _PERMISSIONS))

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """As Control.ask. Raises BenchError for what only a bench can."""
        if not path.startswith(("/bench/", "/local/")):
            return super().ask(method, path, body, headers)
        door = self._doors.get((method, path))
        if door is None:
            raise BenchError(f"{method} {path}: this exchange is no bench")
        return door(body if isinstance(body, dict) else {})

    def leave(self) -> None:
        """Cancel what the house and this bench's accounts have left, and hang up."""
        self._house.leave()
        self._cancel_accounts()
        self.close()

    def _account(self, body: dict[str, Any]) -> object:
        account = self._funded(body["money"], body["permissions"])
        self._accounts.append(account)
        return {
            "user_id": account.user_id,
            "api_key": account.api_key,
            "secret_key": account.secret_key,
            "email": account.email,
            "password": account.password,
        }

    def _funded(self, money: Mapping[str, object], permissions: Iterable[str]) -> Account:
        """A new account with a key, and with money that the order service has heard of."""
        login = {
            "email": f"bench-{secrets.token_hex(8)}@example.com",
            "password": secrets.token_urlsafe(16),
        }
        user = self.ask("POST", "/v1/users", login, _JSON)
        token = self.ask("POST", "/v1/sessions", login, _JSON)["accessToken"]
        signed_in = {**_JSON, "Authorization": f"Bearer {token}"}
        wanted = {"label": "bench", "permissions": list(permissions)}
        key = self.ask("POST", "/v1/api-keys", wanted, signed_in)
        for code, much in money.items():
            self.ask("POST", "/v1/deposits", {"asset": code, "amount": str(much)}, signed_in)
        account = Account(self, user["userId"], key["apiKey"], key["secretKey"], **login)
        give_up = time.monotonic() + _FUNDED_DEADLINE_S
        while not set(account.balances()) >= set(money):
            if time.monotonic() >= give_up:
                raise BenchError(f"the money has not arrived after {_FUNDED_DEADLINE_S:g} s")
            time.sleep(_FUNDED_POLL_S)
        return account

    def _walk(self, body: dict[str, Any]) -> object:
        self._house.walk(str(body["symbol"]), Decimal(body["price"]), int(body["steps"]))
        return {}

    def _empty(self, body: dict[str, Any]) -> object:
        self._house.empty(str(body["symbol"]))
        return {}

    def _clean(self, _body: dict[str, Any]) -> object:
        self._cancel_accounts()
        self._house.clean()
        return {}

    def _cancel_accounts(self) -> None:
        for account in self._accounts:
            cancel_all(account)
