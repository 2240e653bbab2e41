"""Errors as the client sees them: RFC 9457 `application/problem+json`, for every failure there is."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

__all__ = ["Problem", "ProblemError", "problem_of_status", "problem_of_validation", "problem_response"]

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:exchange:problem:"
_ERRORS_MAX: Final = 20
_TEXT_LENGTH_MAX: Final = 200
# What a field has to look like, by the last part of its name: in words, for nobody reads patterns.
_FORMS: Final[Mapping[str, str]] = {
    "amount": "an amount is digits with at most one point, such as 100.25",
    "asset": "an asset is named by capital letters and digits, such as USDT",
    "address": "an address is 1 to 128 printed characters without spaces",
    "month": "a month is a year and two digits, such as 2026-11",
    "code": "a code is six digits",
}
# pydantic's words for people, by its types of faults; what is in braces is of the fault's own context. The
# terminal (web/terminal/words.js) knows each by its words.
_WORDS: Final[Mapping[str, str]] = {
    "missing": "missing",
    "extra_forbidden": "no such field",
    "model_type": "a JSON object",
    "model_attributes_type": "a JSON object",
    "dict_type": "a JSON object",
    "list_type": "a list in square brackets",
    "string_type": 'a text in quotes, such as "10"',
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    # Of a list; what is hidden in answers, such as a password, has characters.
    "too_short": "choose at least {min_length}",
    "too_long": "choose at most {max_length}",
}

# What a request can run into: kind -> (status, title). A kind, once published, keeps its meaning.
_KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "malformed-json": (400, "The body is not acceptable JSON"),
    "not-signed-in": (401, "A valid session is needed"),
    "wrong-credentials": (401, "The e-mail address or the password is wrong"),
    "token-refused": (401, "The token of the outside issuer is not accepted"),
    "identity-unknown": (403, "The sign-in opens no account yet"),
    "identity-not-linked": (403, "An account with this e-mail address exists, and is not linked yet"),
    "email-not-accepted": (403, "The e-mail address of the sign-in is not accepted"),
    "faucet-off": (403, "Deposits by request are switched off"),
    "address-not-listed": (403, "The address is not on the account's list"),
    "address-not-usable-yet": (403, "The address was listed too short a while ago"),
    "freeze-token-refused": (403, "The link is not valid, too old, or was used already"),
    "withdrawals-frozen": (403, "The account's withdrawals are frozen"),
    "no-key-for-session": (403, "This session can have no key of its own"),
    "second-factor-needed": (403, "A code of the second factor is needed"),
    "second-factor-wrong": (403, "The code of the second factor is wrong"),
    "reset-refused": (403, "The link is not valid, too old, or was used already"),
    "mail-link-refused": (403, "The link is not valid, too old, or was used already"),
    "not-found": (404, "There is no such thing"),
    "receive-timeout": (408, "The body did not arrive in time"),
    "email-taken": (409, "The e-mail address is in use"),
    "identity-taken": (409, "The sign-in opens another account"),
    "too-many-keys": (409, "The account has as many API keys as it may have"),
    "address-listed": (409, "The address is on the list already"),
    "too-many-addresses": (409, "The account has as many withdrawal addresses as it may have"),
    "second-factor-on": (409, "There is a second factor already"),
    "second-factor-off": (409, "There is no second factor"),
    "not-frozen": (409, "There is no freeze that its owner could end"),
    "no-mail": (409, "The account has no address that wants mail"),
    "no-webhook": (409, "The account has no webhook, or too many notices wait for it"),
    "insufficient-funds": (409, "The available balance is too low"),
    "body-too-large": (413, "The body is too large"),
    "not-json": (415, "The body must be application/json"),
    "invalid-request": (422, "The request is not valid"),
    "webhook-refused": (422, "Nothing is sent to this URL"),
    "too-many-rows": (422, "That is more than one file holds"),
    "refused": (422, "The exchange refused the request"),
    "banned": (418, "The address is banned for a while"),
    "too-many-attempts": (429, "Too many attempts"),
    "too-many-requests": (429, "Too many requests of this address"),
    "withdrawal-limit": (429, "The limit on withdrawals within a day is used up"),
    "withdrawals-stopped": (503, "Withdrawals are stopped"),
    "unavailable": (503, "A part of the exchange is not available"),
    "overloaded": (503, "The exchange is busy"),
    "outcome-unknown": (504, "Whether the request took effect is not known yet"),
}


class FieldError(BaseModel):
    """One fault of a request: a JSON pointer into the body, or the name of a query parameter."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details; `errors` stands with validation failures only."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] | None = None


class ProblemError(Exception):
    """A request ends with this problem. `members` are added to the body (RFC 9457, extension members)."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status, self.title = _KINDS[kind]
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = list(errors)
        self.members = dict(members or {})


def problem_response(error: ProblemError) -> Response:
    """The answer for `error`."""
    body: dict[str, object] = {
        "type": _TYPE_PREFIX + error.kind,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **error.members,
    }
    if error.errors:
        body["errors"] = error.errors
    return Response(orjson.dumps(body), error.status, error.headers, MEDIA_TYPE)


def problem_of_status(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for a plain HTTP status, such as 404 of an unknown path: `about:blank` and its phrase."""
    known = HTTPStatus(status)
    body = {
        "type": "about:blank",
        "title": known.phrase,
        "status": status,
        "detail": known.description or known.phrase,
    }
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def problem_of_validation(error: RequestValidationError) -> Response:
    """The answer for a body or query that does not fit its model. Values are never repeated in it."""
    faults = error.errors()
    errors = [_field_error(fault) for fault in faults[:_ERRORS_MAX]]
    detail = f"{len(faults)} fault{'s' if len(faults) != 1 else ''}; see errors"
    return problem_response(ProblemError("invalid-request", detail, errors=errors))


def _field_error(fault: Mapping[str, Any]) -> dict[str, str]:
    source, *path = [str(part) for part in fault["loc"]]
    detail = _detail(fault, path)[:_TEXT_LENGTH_MAX]
    if source != "body":
        return {"parameter": ".".join(path)[:_TEXT_LENGTH_MAX], "detail": detail}
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    return {"pointer": "#" + pointer[:_TEXT_LENGTH_MAX], "detail": detail}


def _detail(fault: Mapping[str, Any], path: Sequence[str]) -> str:
    kind, context = str(fault["type"]), fault.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return _FORMS.get(path[-1], "not in the form that is taken here")
    if context.get("field_type") == "Value" and kind in ("too_short", "too_long"):
        kind = f"string_{kind}"
    words = _WORDS.get(kind)
    return str(fault["msg"]).removeprefix("Value error, ") if words is None else words.format_map(context)
