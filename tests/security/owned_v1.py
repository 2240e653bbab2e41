"""For every route of /v1: how a stranger names somebody else's objects there, and what he must be answered.

`V1` is keyed by method and path; the tests compare the keys with the routes that there are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from tests.security.conftest import Trader
from tests.security.owned_objects import Check, Owner

__all__ = ["LOCKED", "V1", "V1Case"]

# Of these a stranger must not even get so far that the object is looked for: without a session, 401.
LOCKED: Final = 401


class V1Case(NamedTuple):
    """`path` and `body` name the owner's objects. `needs_session`: without one the answer is LOCKED."""

    path: Callable[[Owner], str]
    body: Callable[[Owner], dict[str, object]] | None
    status: int
    looks_right: Check = lambda result, owner, stranger: True
    needs_session: bool = True


def _path(text: str) -> Callable[[Owner], str]:
    return lambda owner: text


def _rows_are_own(name: str, count: int) -> Check:
    return lambda result, owner, stranger: len(result[name]) == count


def _is_a_head_alone(table: Any, owner: Owner, stranger: Trader) -> bool:
    """A CSV without rows: who asks has none."""
    return len(str(table).splitlines()) == 1


def _sessions_are_own(shown: Any, owner: Owner, stranger: Trader) -> bool:
    """The one that asks; a log-in at an outside issuer is no session of ours."""
    numbers = [str(session["sessionId"]) for session in shown["sessions"]]
    return len(numbers) <= 1 and owner.session_id not in numbers


V1: Final[Mapping[str, list[V1Case]]] = {
    "POST /v1/users": [
        V1Case(
            _path("/v1/users"),
            lambda owner: {"email": owner.trader.email.upper(), "password": "another password"},
            409,
            needs_session=False,
        )
    ],
    "POST /v1/sessions": [
        V1Case(
            _path("/v1/sessions"),
            lambda owner: {"email": owner.trader.email, "password": "a wrong guess"},
            401,
            needs_session=False,
        )
    ],
    # Here no issuer is believed; tests/security/test_outside_strangers.py has one.
    "POST /v1/identities": [
        V1Case(_path("/v1/identities"), lambda owner: {"token": owner.trader.token}, 401),
        V1Case(_path("/v1/identities"), lambda owner: {"token": "x", "userId": owner.trader.user_id}, 422),
    ],
    "GET /v1/me": [
        V1Case(_path("/v1/me"), None, 200, lambda me, owner, stranger: me["userId"] == stranger.user_id)
    ],
    "GET /v1/api-keys": [V1Case(_path("/v1/api-keys"), None, 200, _rows_are_own("apiKeys", 1))],
    "POST /v1/api-keys": [
        V1Case(
            _path("/v1/api-keys"),
            lambda owner: {"label": "x", "permissions": ["READ"], "userId": owner.trader.user_id},
            422,
        )
    ],
    "DELETE /v1/api-keys/{api_key}": [
        V1Case(lambda owner: f"/v1/api-keys/{owner.trader.api_key}", None, 404)
    ],
    "GET /v1/deposits": [V1Case(_path("/v1/deposits?fromId=0"), None, 200, _rows_are_own("deposits", 2))],
    "POST /v1/deposits": [
        V1Case(
            _path("/v1/deposits"),
            lambda owner: {"asset": "BTC", "amount": "1", "userId": owner.trader.user_id},
            422,
        )
    ],
    "GET /v1/withdrawals": [
        V1Case(_path("/v1/withdrawals?fromId=0"), None, 200, _rows_are_own("withdrawals", 0)),
        V1Case(_path("/v1/withdrawals?userId=1001"), None, 422),
    ],
    "POST /v1/withdrawals": [
        V1Case(
            _path("/v1/withdrawals"),
            lambda owner: {
                "asset": "BTC",
                "amount": "1",
                "address": "x",
                "userId": owner.trader.user_id,
            },
            422,
        )
    ],
    # Behind the settlement, it is the engine that says no; to a stranger there is no such withdrawal.
    "DELETE /v1/withdrawals/{withdrawal_id}": [
        V1Case(lambda owner: f"/v1/withdrawals/{owner.withdrawal_id}", None, 404)
    ],
    # Whose link it is says the link; there is no naming an account.
    "POST /v1/withdrawal-freezes": [
        V1Case(_path("/v1/withdrawal-freezes"), lambda owner: {"token": "A" * 43}, 403, needs_session=False),
        V1Case(
            _path("/v1/withdrawal-freezes"),
            lambda owner: {"token": "A" * 43, "userId": owner.trader.user_id},
            422,
            needs_session=False,
        ),
    ],
    "GET /v1/withdrawal-freezes": [
        V1Case(_path("/v1/withdrawal-freezes"), None, 200, _rows_are_own("withdrawalFreezes", 0))
    ],
    "POST /v1/withdrawal-unfreezes": [
        V1Case(
            _path("/v1/withdrawal-unfreezes"),
            lambda owner: {"password": "x", "userId": owner.trader.user_id},
            422,
        ),
        V1Case(_path("/v1/withdrawal-unfreezes"), lambda owner: {"password": "a wrong guess"}, 401),
    ],
    "GET /v1/ledger": [
        V1Case(
            _path("/v1/ledger?fromId=0"),
            None,
            200,
            lambda page, owner, stranger: {entry["kind"] for entry in page["entries"]} == {"DEPOSIT"},
        )
    ],
    "GET /v1/withdrawal-addresses": [
        V1Case(_path("/v1/withdrawal-addresses"), None, 200, _rows_are_own("withdrawalAddresses", 0))
    ],
    "DELETE /v1/withdrawal-addresses/{address_id}": [
        V1Case(lambda owner: f"/v1/withdrawal-addresses/{owner.address_id}", None, 404)
    ],
    # Two people may list one address; neither learns of the other.
    "POST /v1/withdrawal-addresses": [
        V1Case(
            _path("/v1/withdrawal-addresses"),
            lambda owner: {"asset": "BTC", "address": owner.listed_address, "label": "mine"},
            201,
            lambda shown, owner, stranger: str(shown["addressId"]) != owner.address_id,
        )
    ],
    "GET /v1/sessions": [
        V1Case(_path("/v1/sessions"), None, 200, _sessions_are_own),
    ],
    "DELETE /v1/sessions/{session_id}": [V1Case(lambda owner: f"/v1/sessions/{owner.session_id}", None, 404)],
    "DELETE /v1/sessions": [
        V1Case(_path("/v1/sessions"), None, 200, lambda result, owner, stranger: result == {"ended": 0})
    ],
    "GET /v1/security-events": [
        V1Case(
            _path("/v1/security-events"),
            None,
            200,
            lambda page, owner, stranger: "withdrawal" not in {event["act"] for event in page["events"]},
        ),
        V1Case(_path("/v1/security-events?userId=1001"), None, 422),
    ],
    "GET /v1/reports/{kind}": [
        V1Case(_path(f"/v1/reports/{kind}?from=0&to=4000000000000"), None, 200, _is_a_head_alone)
        for kind in ("orders", "fills")
    ],
    "GET /v1/statements/{month}": [
        V1Case(_path("/v1/statements/2020-01"), None, 200, _rows_are_own("lines", 0))
    ],
    "PUT /v1/password": [
        V1Case(
            _path("/v1/password"),
            lambda owner: {
                "currentPassword": "a wrong guess",
                "newPassword": "another password",
                "userId": owner.trader.user_id,
            },
            422,
        ),
        V1Case(
            _path("/v1/password"),
            lambda owner: {"currentPassword": "a wrong guess", "newPassword": "another password"},
            401,
        ),
    ],
    # The link goes to the owner; what he has stays as it is until he follows it.
    "POST /v1/password-resets": [
        V1Case(
            _path("/v1/password-resets"),
            lambda owner: {"email": owner.trader.email},
            202,
            needs_session=False,
        )
    ],
    "POST /v1/password-resets/confirmations": [
        V1Case(
            _path("/v1/password-resets/confirmations"),
            lambda owner: {"token": "A" * 43, "newPassword": "another password"},
            403,
            needs_session=False,
        )
    ],
    "GET /v1/second-factor": [
        V1Case(
            _path("/v1/second-factor"), None, 200, lambda result, owner, stranger: result == {"isOn": False}
        )
    ],
    "POST /v1/second-factor": [
        V1Case(
            _path("/v1/second-factor"),
            None,
            201,
            lambda result, owner, stranger: set(result) == {"secret", "uri"},
        )
    ],
    "POST /v1/second-factor/confirmations": [
        V1Case(_path("/v1/second-factor/confirmations"), lambda owner: {"totp": "no code"}, 403)
    ],
    "POST /v1/second-factor/removals": [
        V1Case(
            _path("/v1/second-factor/removals"),
            lambda owner: {"totp": "no code", "password": "a wrong guess"},
            401,
        )
    ],
    "GET /v1/notices": [
        V1Case(
            _path("/v1/notices"),
            None,
            200,
            lambda shown, owner, stranger: (
                (shown["mail"]["address"], shown["webhook"]) == (stranger.email, None)
                and all(choice["browser"] for choice in shown["choices"])
            ),
        )
    ],
    "PUT /v1/notices/choices": [
        V1Case(
            _path("/v1/notices/choices"),
            lambda owner: {
                "choices": [{"topic": "FILLS", "mail": False, "webhook": False, "browser": False}],
                "userId": owner.trader.user_id,
            },
            422,
        )
    ],
    # The link goes to the stranger's own address.
    "POST /v1/notices/mail": [V1Case(_path("/v1/notices/mail"), None, 202)],
    "POST /v1/notices/mail/confirmations": [
        V1Case(
            _path("/v1/notices/mail/confirmations"),
            lambda owner: {"token": "A" * 43},
            403,
            needs_session=False,
        )
    ],
    "DELETE /v1/notices/mail": [V1Case(_path("/v1/notices/mail"), None, 409)],
    "PUT /v1/notices/webhook": [
        V1Case(
            _path("/v1/notices/webhook"),
            lambda owner: {"url": "https://bot.example.com/", "userId": owner.trader.user_id},
            422,
        )
    ],
    "DELETE /v1/notices/webhook": [V1Case(_path("/v1/notices/webhook"), None, 409)],
    "POST /v1/notices/webhook/tests": [V1Case(_path("/v1/notices/webhook/tests"), None, 409)],
    "POST /v1/withdrawal-freezes/own": [V1Case(_path("/v1/withdrawal-freezes/own"), None, 201)],
    # Last, as it ends the stranger's session.
    "DELETE /v1/sessions/current": [V1Case(_path("/v1/sessions/current"), None, 204)],
}
