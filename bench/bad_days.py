"""Bad days on demand (local/bad_days), one call each. All are over with the next test."""

from bench.account import Account
from bench.control import Control

__all__ = ["BadDays"]


class BadDays:
    """Each holds `times` times (0: until it is called off), for one `account` or for all.

    `skip`: so many fitting occasions pass unharmed first. `path`: only requests, or sockets, below it.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def too_many_requests(
        self, times: int = 1, account: Account | None = None, *, retry_after_ms: int = 1_000, path: str = ""
    ) -> int:
        """Answer 429 with -1003 and Retry-After."""
        return self.order("too-many-requests", times, account, ms=retry_after_ms, path=path)

    def banned(self, times: int = 1, account: Account | None = None, *, retry_after_ms: int = 120_000) -> int:
        """Answer 418 with -1003 and Retry-After."""
        return self.order("banned", times, account, ms=retry_after_ms)

    def clock_skew(self, skew_ms: int, account: Account | None = None) -> int:
        """The server's clock is ahead by `skew_ms` (behind, below 0): -1021 for who does not follow it."""
        return self.order("clock-skew", 0, account, ms=skew_ms)

    def unknown(
        self, times: int = 1, account: Account | None = None, *, with_effect: bool = True, skip: int = 0
    ) -> int:
        """Answer an order or a cancel with -1007, after it was carried out, or instead."""
        kind = "unknown-done" if with_effect else "unknown-lost"
        return self.order(kind, times, account, skip=skip)

    def slow(self, ms: int, times: int = 0, account: Account | None = None, *, path: str = "") -> int:
        """Wait so long before each answer."""
        return self.order("slow", times, account, ms=ms, path=path)

    def hang_up(self, times: int = 1, account: Account | None = None, *, path: str = "/api/v3/order") -> int:
        """Carry a request out, and cut the connection instead of answering."""
        return self.order("hang-up", times, account, path=path)

    def drop_messages(self, times: int = 1, account: Account | None = None, *, skip: int = 0) -> int:
        """Messages of streams get lost."""
        return self.order("stream-drop", times, account, skip=skip)

    def duplicate_messages(self, times: int = 1, account: Account | None = None) -> int:
        """Messages of streams come twice."""
        return self.order("stream-duplicate", times, account)

    def depth_gap(self, times: int = 1) -> int:
        """A depth update gets lost: the next one's `U` is not the last `u` + 1."""
        return self.order("depth-gap", times, None)

    def disconnect(self, times: int = 1, account: Account | None = None) -> int:
        """A stream ends at its next message."""
        return self.order("stream-disconnect", times, account)

    def disconnect_on_fill(self, account: Account | None = None) -> int:
        """The worst moment: a user data stream ends instead of telling of a trade that has happened."""
        return self.order("disconnect-on-fill", 1, account)

    def expire_listen_keys(self, account: Account | None = None) -> int:
        """Listen keys die as if their hour were over; returns how many."""
        body = {} if account is None else {"apiKey": account.api_key}
        answer = self._control.ask("POST", "/local/bad-days/expired-listen-keys", body)
        return int(answer["expired"])

    def over(self) -> None:
        """All is well again."""
        self._control.ask("DELETE", "/local/bad-days")

    def happened(self) -> dict[int, int]:
        """How often each has happened, by the number that ordering it returned."""
        rows = self._control.ask("GET", "/local/bad-days")
        return {row["number"]: row["happened"] for row in rows}

    def order(
        self, kind: str, times: int, account: Account | None, *, ms: int = 0, path: str = "", skip: int = 0
    ) -> int:
        """Order one by its name (local/bad_days/plan.py); returns its number."""
        key = "" if account is None else account.api_key
        body = {"kind": kind, "times": times, "apiKey": key, "ms": ms, "path": path, "skip": skip}
        return int(self._control.ask("POST", "/local/bad-days", body)["number"])
