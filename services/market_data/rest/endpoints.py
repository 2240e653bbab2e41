"""What a public endpoint is, apart from how it is reached."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from exchange.http.weights import MARKET_DATA_WEIGHTS, UNKNOWN

__all__ = ["Call", "Endpoint"]


class Call:
    """One request. `scale`: what times in milliseconds are multiplied with."""

    __slots__ = ("parameters", "scale")

    def __init__(self, parameters: Mapping[str, str], scale: int) -> None:
        self.parameters = parameters
        self.scale = scale


Handler = Callable[[Call], object] | Callable[[Call], Coroutine[Any, Any, object]]


class Endpoint:
    """A GET endpoint. `names`: the parameters it reads, None for any. `exchange.http.weights` has its weight.

    The handler returns (or is a coroutine that returns) what orjson can write, or ready JSON as bytes;
    it raises ApiError.
    """

    def __init__(self, path: str, names: str | None, handler: Handler) -> None:
        self.path = path
        self.names = None if names is None else frozenset(names.split())
        self.weight = MARKET_DATA_WEIGHTS.get(path, UNKNOWN)
        self.handler = handler
