"""What can be ordered, as it travels from the command line to whoever carries it out. Pure."""

from typing import Final

import msgspec

from exchange.contracts import codes

__all__ = [
    "ALL_MARKETS",
    "MODES",
    "NO_ASSET",
    "REASON_LENGTH_MAX",
    "ActivateTheRules",
    "AddAdministrator",
    "AddMarkets",
    "AdjustBalance",
    "Answer",
    "CancelOrders",
    "ClearBreach",
    "CountTiers",
    "FindAccounts",
    "FreezeAccount",
    "ListAdministrators",
    "ListBreaches",
    "ListFees",
    "ListMarkets",
    "ListWithdrawals",
    "Order",
    "OrderError",
    "Request",
    "RevokeAdministrator",
    "SetDiscount",
    "SetFees",
    "SetMode",
    "SetTier",
    "ShowAccount",
    "ShowReaders",
    "Signed",
    "SkipOne",
    "UnfreezeAccount",
    "decode_answer",
    "decode_request",
    "decode_signed",
    "encode",
    "mode_text",
]

ALL_MARKETS: Final = "ALL"
NO_ASSET: Final = "NONE"
REASON_LENGTH_MAX: Final = 500
# Word of the command line -> trading mode.
MODES: Final = {
    "halt": codes.MODE_HALTED,
    "cancel-only": codes.MODE_CANCEL_ONLY,
    "post-only": codes.MODE_POST_ONLY,
    "reopen": codes.MODE_TRADING,
}


_MODE_WORDS: Final = {number: word for word, number in MODES.items()} | {codes.MODE_TRADING: "trading"}


class OrderError(Exception):
    """The order cannot be carried out; nothing was done."""


class _Tagged(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all orders: the name of the class tells them apart."""


class ListMarkets(_Tagged, frozen=True, tag=True):
    """Which markets there are, and in which mode."""


class AddMarkets(_Tagged, frozen=True, tag=True):
    """Register what `text` (as matching_engine/markets.toml) names and the exchange does not have yet."""

    text: str


class SetMode(_Tagged, frozen=True, tag=True):
    """Put a market, or ALL_MARKETS, into one of MODES."""

    symbol: str
    word: str


class SetFees(_Tagged, frozen=True, tag=True):
    """What a market's makers and takers pay of what they receive from the next trade on, as `0.001`."""

    symbol: str
    maker: str
    taker: str


class SetTier(_Tagged, frozen=True, tag=True):
    """What accounts pay of each market's fees who traded `volume` of `asset` in 30 days; 0 ends the tier."""

    tier: int
    asset: str
    volume: str
    maker: str
    taker: str


class SetDiscount(_Tagged, frozen=True, tag=True):
    """In which asset fees may be paid (NO_ASSET: in none), and how much less they are then."""

    asset: str
    less: str


class CountTiers(_Tagged, frozen=True, tag=True):
    """Put every account into the tier that its 30 days ask for."""


class ListFees(_Tagged, frozen=True, tag=True):
    """What markets take, which tiers there are, and the discount."""


class ActivateTheRules(_Tagged, frozen=True, tag=True):
    """From now on decide by the rules of `version`."""

    version: int


class SkipOne(_Tagged, frozen=True, tag=True):
    """Go past one command at which the engine halts. `signature`: Ed25519, hexadecimal."""

    offset: int
    index: int
    signature: str


class ShowAccount(_Tagged, frozen=True, tag=True):
    """What holds an account's withdrawals back. `account`: e-mail address, or number."""

    account: str


class FindAccounts(_Tagged, frozen=True, tag=True):
    """Which accounts are like `text`: a part of an e-mail address, a number, or an API key."""

    text: str


class CancelOrders(_Tagged, frozen=True, tag=True):
    """Cancel every open order of this account, in all markets."""

    account: str


class ListWithdrawals(_Tagged, frozen=True, tag=True):
    """What is reserved and has not left."""


class ShowReaders(_Tagged, frozen=True, tag=True):
    """How far each reader of the event log is."""


class FreezeAccount(_Tagged, frozen=True, tag=True):
    """Nothing leaves this account any more."""

    account: str


class UnfreezeAccount(_Tagged, frozen=True, tag=True):
    """End every freeze of this account, its owner's too."""

    account: str


class ListBreaches(_Tagged, frozen=True, tag=True):
    """What the auditor found and nobody has cleared."""


class ClearBreach(_Tagged, frozen=True, tag=True):
    """The cause is repaired: the auditor is green at its next start, unless it finds the same again."""

    breach_id: int


class AdjustBalance(_Tagged, frozen=True, tag=True):
    """Credit `amount` of an asset to an account, or take it from what is available when it is below 0."""

    account: str
    asset: str
    amount: str


class AddAdministrator(_Tagged, frozen=True, tag=True):
    """Let somebody give orders over HTTP. `role`: ADMIN, or VIEWER who only looks.

    `token_hash`: SHA-256 of his token, hexadecimal. The token itself never travels, so no log can have it.
    """

    name: str
    role: str
    token_hash: str


class ListAdministrators(_Tagged, frozen=True, tag=True):
    """Who may give orders over HTTP."""


class RevokeAdministrator(_Tagged, frozen=True, tag=True):
    """He may not any more."""

    name: str


Order = (
    ListMarkets
    | AddMarkets
    | SetMode
    | SetFees
    | SetTier
    | SetDiscount
    | CountTiers
    | ListFees
    | ActivateTheRules
    | SkipOne
    | ShowAccount
    | FindAccounts
    | CancelOrders
    | ListWithdrawals
    | ShowReaders
    | FreezeAccount
    | UnfreezeAccount
    | ListBreaches
    | ClearBreach
    | AdjustBalance
    | AddAdministrator
    | ListAdministrators
    | RevokeAdministrator
)


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order over HTTP: who gives it is said by his token."""

    order: Order
    reason: str


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order, who gives it, and why."""

    order: Order
    who: str
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """What came of it, in lines for people."""

    is_done: bool
    lines: list[str]


_decoder: Final = msgspec.json.Decoder(Signed)
_request_decoder: Final = msgspec.json.Decoder(Request)
_answer_decoder: Final = msgspec.json.Decoder(Answer)


def mode_text(mode: int) -> str:
    """A trading mode in the words of the command line."""
    return _MODE_WORDS.get(mode, f"mode {mode}")


def encode(message: Signed | Request | Answer) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(message)


def decode_signed(line: bytes) -> Signed:
    """Undo `encode`. Raises OrderError."""
    try:
        signed = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OrderError(f"no order: {error}") from None
    if not signed.who.strip():
        raise OrderError("say who orders it")
    _check_reason(signed.reason)
    return signed


def decode_request(body: bytes) -> Request:
    """A request of /v1/admin. Raises OrderError."""
    try:
        request = _request_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OrderError(f"no order: {error}") from None
    _check_reason(request.reason)
    return request


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise OrderError(f"say who orders it, and why, in at most {REASON_LENGTH_MAX} characters")


def decode_answer(line: bytes) -> Answer:
    """Undo `encode`. Raises OrderError."""
    try:
        return _answer_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OrderError(f"no answer: {error}") from None
