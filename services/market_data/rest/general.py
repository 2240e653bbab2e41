"""/ping, /time, and the few answers outside /api/v3 that clients want at start-up."""

from collections.abc import Callable

from services.market_data.rest.endpoints import Call, Endpoint

__all__ = ["GeneralEndpoints"]


class GeneralEndpoints:
    """What needs no market, and is answered from the first moment. `clock_us`: microseconds since 1970."""

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us

    def endpoints(self) -> list[Endpoint]:
        """What is served. Paths in full."""
        return [
            Endpoint("/api/v3/ping", "", _constant({})),
            Endpoint("/api/v3/time", "", self._time),
            # Stubs (binance-spot-api 0.9, 7.7): whatever is sent, signed or not, changes nothing.
            Endpoint("/fapi/v1/exchangeInfo", None, _constant({"symbols": []})),
            Endpoint("/dapi/v1/exchangeInfo", None, _constant({"symbols": []})),
        ]

    def _time(self, call: Call) -> object:
        return {"serverTime": self._clock_us() * call.scale // 1000}


def _constant(value: object) -> Callable[[Call], object]:
    def answer(_: Call) -> object:
        return value

    return answer
