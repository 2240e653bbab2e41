"""What can be ordered, as it travels from the command line to whoever carries it out. Pure."""

from typing import Final

import msgspec

from exchange.contracts import codes
from services.operator.markets.orders import MarketOrder
from services.operator.tagged import OrderError, Tagged

__all__ = [
    "MODES",
    "REASON_LENGTH_MAX",
    "ActivateTheRules",
    "AddAdministrator",
    "AddMarkets",
    "AdjustBalance",
    "Answer",
    "CancelOrders",
    "ClearBreach",
    "FindAccounts",
    "FreezeAccount",
    "ListAdministrators",
    "ListAnomalies",
    "ListBreaches",
    "ListFreezes",
    "ListMarkets",
    "ListWithdrawals",
    "Order",
    "RenewFactor",
    "Request",
    "RevokeAdministrator",
    "SearchAuditLog",
    "SessionBegun",
    "SetMode",
    "ShowAccount",
    "ShowReaders",
    "ShowWithdrawalStop",
    "Signed",
    "SkipOne",
    "UnfreezeAccount",
    "decode_answer",
    "decode_code",
    "decode_request",
    "decode_session",
    "decode_signed",
    "encode",
    "encode_code",
    "mode_text",
]

REASON_LENGTH_MAX: Final = 500
# Word of the command line -> trading mode.
MODES: Final = {
    "halt": codes.MODE_HALTED,
    "cancel-only": codes.MODE_CANCEL_ONLY,
    "post-only": codes.MODE_POST_ONLY,
    "reopen": codes.MODE_TRADING,
}


_MODE_WORDS: Final = {number: word for word, number in MODES.items()} | {
    codes.MODE_TRADING: "trading",
    codes.MODE_RETIRED: "retired",
}


class ListMarkets(Tagged, frozen=True, tag=True):
    """Which markets there are, and in which mode."""


class AddMarkets(Tagged, frozen=True, tag=True):
    """Register what `text` (as matching_engine/markets.toml) names and the exchange does not have yet."""

    text: str


class SetMode(Tagged, frozen=True, tag=True):
    """Put a market, or ALL_MARKETS, into one of MODES."""

    symbol: str
    word: str


class ActivateTheRules(Tagged, frozen=True, tag=True):
    """From now on decide by the rules of `version`."""

    version: int


class SkipOne(Tagged, frozen=True, tag=True):
    """Go past one command at which the engine halts. `signature`: Ed25519, hexadecimal."""

    offset: int
    index: int
    signature: str


class ShowAccount(Tagged, frozen=True, tag=True):
    """What holds an account's withdrawals back. `account`: e-mail address, or number."""

    account: str


class FindAccounts(Tagged, frozen=True, tag=True):
    """Which accounts are like `text`: a part of an e-mail address, a number, or an API key."""

    text: str


class CancelOrders(Tagged, frozen=True, tag=True):
    """Cancel every open order of this account, in all markets."""

    account: str


class ListWithdrawals(Tagged, frozen=True, tag=True):
    """What is reserved and has not left."""


class ListFreezes(Tagged, frozen=True, tag=True):
    """Which accounts are frozen, and by whom."""


class ShowWithdrawalStop(Tagged, frozen=True, tag=True):
    """Whether money may leave at all now: the auditor's word."""


class SearchAuditLog(Tagged, frozen=True, tag=True):
    """Rows of the audit log, the newest first.

    `text`: what stands somewhere in a row's act, account, address or detail; "" for all. `before_id`: rows
    that are older than that one; 0 for the newest.
    """

    text: str
    before_id: int = 0


class ShowReaders(Tagged, frozen=True, tag=True):
    """How far each reader of the event log is."""


class ListAnomalies(Tagged, frozen=True, tag=True):
    """What is unusual in the events now, and what was lately."""


class FreezeAccount(Tagged, frozen=True, tag=True):
    """Nothing leaves this account any more."""

    account: str


class UnfreezeAccount(Tagged, frozen=True, tag=True):
    """End every freeze of this account, its owner's too."""

    account: str


class ListBreaches(Tagged, frozen=True, tag=True):
    """What the auditor found and nobody has cleared."""


class ClearBreach(Tagged, frozen=True, tag=True):
    """The cause is repaired: the auditor is green at its next start, unless it finds the same again."""

    breach_id: int


class AdjustBalance(Tagged, frozen=True, tag=True):
    """Credit `amount` of an asset to an account, or take it from what is available when it is below 0."""

    account: str
    asset: str
    amount: str


class AddAdministrator(Tagged, frozen=True, tag=True):
    """Let somebody give orders over HTTP. `role`: ADMIN, or VIEWER who only looks.

    `token_hash`: SHA-256 of his token, hexadecimal. The token itself never travels, so no log can have it.
    `factor`: the secret of his authenticator, Base32; it is sealed, and in no log.
    """

    name: str
    role: str
    token_hash: str
    factor: str


class RenewFactor(Tagged, frozen=True, tag=True):
    """He has another authenticator; his sessions end. `factor`: its secret, Base32."""

    name: str
    factor: str


class ListAdministrators(Tagged, frozen=True, tag=True):
    """Who may give orders over HTTP."""


class RevokeAdministrator(Tagged, frozen=True, tag=True):
    """He may not any more."""

    name: str


Order = (
    ListMarkets
    | AddMarkets
    | SetMode
    | MarketOrder
    | ActivateTheRules
    | SkipOne
    | ShowAccount
    | FindAccounts
    | CancelOrders
    | ListWithdrawals
    | ListFreezes
    | ShowWithdrawalStop
    | SearchAuditLog
    | ShowReaders
    | ListAnomalies
    | FreezeAccount
    | UnfreezeAccount
    | ListBreaches
    | ClearBreach
    | AdjustBalance
    | AddAdministrator
    | RenewFactor
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


class _Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


class SessionBegun(msgspec.Struct, frozen=True):
    """Whose session it is, until when (milliseconds since 1970), and its token, told this once."""

    session: str
    name: str
    role: str
    ends_ms: int


class Answer(msgspec.Struct, frozen=True):
    """What came of it, in lines for people."""

    is_done: bool
    lines: list[str]


_decoder: Final = msgspec.json.Decoder(Signed)
_request_decoder: Final = msgspec.json.Decoder(Request)
_code_decoder: Final = msgspec.json.Decoder(_Code)
_session_decoder: Final = msgspec.json.Decoder(SessionBegun)
_answer_decoder: Final = msgspec.json.Decoder(Answer)


def mode_text(mode: int) -> str:
    """A trading mode in the words of the command line."""
    return _MODE_WORDS.get(mode, f"mode {mode}")


def encode(message: Signed | Request | Answer | SessionBegun) -> bytes:
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


def encode_code(code: str) -> bytes:
    """The body that begins a session."""
    return msgspec.json.encode(_Code(code))


def decode_code(body: bytes) -> str:
    """The code of `{"code": "123456"}`. Raises OrderError."""
    try:
        return _code_decoder.decode(body).code
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OrderError(f"no code: {error}") from None


def decode_session(body: bytes) -> SessionBegun:
    """Undo `encode`. Raises OrderError."""
    try:
        return _session_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise OrderError(f"no session: {error}") from None
