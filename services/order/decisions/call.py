"""What a door hands on: a request that was read, checked and signed by somebody who may ask for it."""

from typing import Final, NamedTuple

from exchange.http.query_parameters import Parameters
from exchange.process.tracing import Span

__all__ = ["NOBODY", "Call", "Caller"]


class Caller(NamedTuple):
    """A request's sender. `valid_until_ms`: when the request becomes stale; 0 for unsigned ones."""

    user_id: int
    api_key: str
    kind: str
    valid_until_ms: int


# Who need not say who he is.
NOBODY: Final = Caller(0, "", "", 0)


class Call(NamedTuple):
    """One checked call. `unit`: 1 when times are wanted in milliseconds, 1000 for microseconds.

    `trace`: the request's span when it is sampled.
    """

    parameters: Parameters
    caller: Caller
    unit: int
    trace: Span | None = None
