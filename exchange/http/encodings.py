"""Encodings of answers: JSON alone. Whoever asks for SBE and nothing else is told that it is not enabled.

Source: Binance's SBE FAQ (2026-07). A client that takes JSON besides gets JSON, as where SBE is off.
"""

from collections.abc import Iterable
from typing import Final

from exchange.contracts.errors import ApiError, duplicate_parameter, invalid_data

__all__ = ["demand_json", "demand_json_frames"]

_SBE: Final = b"application/sbe"
_NOT_ACCEPTABLE: Final = 406
_FORMAT: Final = "responseFormat"


def demand_json(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise -1155 with status 406 where all Accept headers together take SBE alone.

    `headers`: (name in lower case, value), as ASGI has them. Several are one list (RFC 9110, 5.2).
    """
    accept = [value.lower() for name, value in headers if name == b"accept"]
    if not any(_SBE[-3:] in value for value in accept):
        return
    taken = {part.partition(b";")[0].strip() for value in accept for part in value.split(b",")}
    if taken - {b""} == {_SBE}:
        raise _sbe_disabled(_NOT_ACCEPTABLE)


def demand_json_frames(formats: list[str]) -> None:
    """Raise ApiError, status 400, for values of `responseFormat` in a socket's URL other than `json`."""
    if len(formats) > 1:
        raise duplicate_parameter()
    if formats and formats[0].lower() != "json":
        raise _sbe_disabled(400) if formats[0].lower() == "sbe" else invalid_data(_FORMAT)


def _sbe_disabled(status: int) -> ApiError:
    return ApiError(-1155, "SBE is not enabled.", status)
