"""Values of commands' fields, chosen by the bytes of a fuzzer."""

from typing import Any, Final

from exchange.contracts import limits, tables
from exchange.contracts.order_commands import OrderLeg
from exchange.contracts.tables import LEG_FIELDS, LEGS_FIELD

__all__ = ["START_MS", "USERS", "ChosenByBytes"]

START_MS: Final = 1_700_000_000_000
USERS: Final = (1001, 1002)
_EDGES: Final = (0, 1, 2, 3, 10**8, 2**31, 2**62, 2**63 - 1)


class ChosenByBytes:
    """Choices made by bytes; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_empty(self) -> bool:
        return self._position >= len(self._data)

    def number(self, below: int) -> int:
        """One byte's choice of a number."""
        value = 0 if self.is_empty else self._data[self._position]
        self._position += 1
        return value % below

    def field(self, name: str) -> Any:
        """A value for a field: often one that fits, sometimes none that does."""
        if name == LEGS_FIELD:
            return [OrderLeg(*(self.field(x) for x in LEG_FIELDS)) for _ in range(self.number(5))]
        if name in tables.TEXT_FIELDS:
            return ("", "a", "b", "BTCUSDT", "x" * limits.TEXT_LENGTH_MAX)[self.number(5)]
        kind = self.number(16)
        if kind == 0:
            return _EDGES[self.number(len(_EDGES))]
        if kind == 1:
            return int.from_bytes(bytes(self.number(256) for _ in range(8)), "big") >> 1
        if name == "user_id":
            return USERS[self.number(2)]
        if name in ("price_ticks", "stop_price_ticks", "quantity_lots"):
            if kind == 2:
                return 0
            return 1 + self.number(256) * self.number(256) * 80
        if name == "valid_until_ms":
            return START_MS + 60_000
        # Codes, one more than there are; what a leg leaves open is none of the others.
        return self.number({"order_type": 9, "contingency": 7, "stp_mode": 8}.get(name, 4))
