"""What a public endpoint is, apart from how it is reached."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

__all__ = ["Call", "Endpoint"]


class Call:
    """One request. `scale`: what times in milliseconds are multiplied with; `weight`: what it costs."""

    __slots__ = ("parameters", "scale", "weight")

    def __init__(self, parameters: Mapping[str, str], scale: int, weight: int) -> None:
        self.parameters = parameters
        self.scale = scale
        self.weight = weight


Handler = Callable[[Call], object] | Callable[[Call], Coroutine[Any, Any, object]]


class Endpoint:
    """A GET endpoint. `names`: the parameters it reads, None for any.

    The handler returns (or is a coroutine that returns) what orjson can write, or ready JSON as bytes;
    it raises ApiError.
    """

    def __init__(self, path: str, names: str | None, weight: int, handler: Handler) -> None:
        self.path = path
        self.names = None if names is None else frozenset(names.split())
        self.weight = weight
        self.handler = handler
