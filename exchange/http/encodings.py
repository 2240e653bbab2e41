"""Encodings of answers: JSON alone. Whoever asks for SBE and nothing else is told that it is not enabled.

Source: Binance's SBE FAQ (2026-07). A client that takes JSON besides gets JSON, as where SBE is off.
"""

from typing import Final

from exchange.contracts.errors import ApiError, duplicate_parameter, invalid_data

__all__ = ["demand_json", "demand_json_frames"]

_SBE: Final = b"application/sbe"
_NOT_ACCEPTABLE: Final = 406
_FORMAT: Final = "responseFormat"


def demand_json(accept: bytes) -> None:
    """Raise -1155 with status 406 for an Accept header that takes SBE alone."""
    if _SBE[-3:] not in accept.lower():
        return
    taken = {part.partition(b";")[0].strip().lower() for part in accept.split(b",")}
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
