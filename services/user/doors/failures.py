"""How the failures of the service's parts look to the client."""

import logging
from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from exchange.contracts import codes
from exchange.log.gateway import GatewayOverloadedError, GatewayUnavailableError
from exchange.process.turns import NoTurnError
from exchange.security.identity.tokens import TokenRefusedError
from exchange.security.identity.verifier import KeysUnavailableError
from exchange.security.key_ring import KeyRingError
from services.user.component import NotReadyError
from services.user.doors.problems import (
    ProblemError,
    problem_of_status,
    problem_of_validation,
    problem_response,
)
from services.user.money.transfers import (
    AmountError,
    FaucetOffError,
    InsufficientFundsError,
    TransferRefusedError,
    TransfersUndecidedError,
    UnknownAssetError,
)
from services.user.money.withdrawal_addresses import AddressListedError, TooManyAddressesError
from services.user.money.withdrawal_guard import (
    AddressNotListedError,
    AddressNotUsableYetError,
    WithdrawalLimitError,
    WithdrawalsFrozenError,
    WithdrawalsStoppedError,
)
from services.user.people.accounts import PublicKeyError
from services.user.people.identities import EmailNotAcceptedError
from services.user.people.notice_choices import (
    MailLinkRefusedError,
    NoMailAddressError,
    WebhookMissingError,
    WebhookRefusedError,
)
from services.user.people.password_changes import ResetRefusedError
from services.user.people.password_check import WrongCredentialsError
from services.user.people.passwords import PasswordsBusyError
from services.user.people.second_factor import (
    SecondFactorNeededError,
    SecondFactorOffError,
    SecondFactorOnError,
    SecondFactorWrongError,
)
from services.user.people.sessions import CacheUnavailableError, TooManyAttemptsError
from services.user.tables.accounts import EmailTakenError, TooManyKeysError
from services.user.tables.database import DatabaseUnavailableError
from services.user.tables.freezes import FreezeTokenRefusedError, NotFrozenError
from services.user.tables.identities import IdentityNotLinkedError, IdentityTakenError, IdentityUnknownError

__all__ = ["add_problem_handlers"]

logger = logging.getLogger(__name__)

_RETRY_SOON: Final = {"Retry-After": "1"}
_REFUSALS: Final = {
    codes.REJECT_UNKNOWN_ASSET: "The engine does not know this asset.",
    codes.REJECT_OVERFLOW: "The balance would be larger than the exchange can hold.",
    codes.REJECT_MALFORMED: "The engine cannot read this transfer.",
    codes.REJECT_UNKNOWN_WITHDRAWAL: "This withdrawal is not held any more: it has left, or was released.",
    codes.REJECT_SKIPPED: "The operator refused this transfer; it had no effect.",
    codes.REJECT_DUPLICATE_REFERENCE: "The number of this transfer was used before; ask again.",
}


def _unavailable(detail: str) -> Callable[[Exception], ProblemError]:
    return lambda _: ProblemError("unavailable", detail, headers=_RETRY_SOON)


_PROBLEMS: Final[dict[type[Exception], Callable[[Exception], ProblemError]]] = {
    DatabaseUnavailableError: _unavailable("The database does not answer; nothing was changed for sure."),
    CacheUnavailableError: _unavailable("Sessions cannot be checked at the moment."),
    GatewayUnavailableError: _unavailable("The engine cannot be reached; nothing was changed."),
    KeyRingError: _unavailable("The key for secrets cannot be had; nothing was changed."),
    NotReadyError: _unavailable("The service is starting."),
    TransfersUndecidedError: _unavailable(
        "Something that was asked for lately is not decided yet, so the list may lack it. Ask again soon."
    ),
    GatewayOverloadedError: lambda _: ProblemError(
        "overloaded", "Too many commands are waiting; nothing was changed.", headers=_RETRY_SOON
    ),
    NoTurnError: lambda _: ProblemError(
        "overloaded", "Too many statements are being read; nothing was changed.", headers=_RETRY_SOON
    ),
    PasswordsBusyError: lambda _: ProblemError(
        "overloaded", "Too many passwords are waiting to be checked.", headers=_RETRY_SOON
    ),
    WrongCredentialsError: lambda _: ProblemError(
        "wrong-credentials", "Check both.", headers={"WWW-Authenticate": "Bearer"}
    ),
    TokenRefusedError: lambda error: ProblemError(
        "token-refused", f"The token: {error}.", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}
    ),
    KeysUnavailableError: _unavailable("The keys of the token's issuer cannot be had; nothing was changed."),
    IdentityUnknownError: lambda _: ProblemError(
        "identity-unknown", "Send an id token with a verified e-mail address once; then access tokens do."
    ),
    IdentityNotLinkedError: lambda _: ProblemError(
        "identity-not-linked", "Log in with its password, and send this token to POST /v1/identities."
    ),
    IdentityTakenError: lambda _: ProblemError("identity-taken", "Use another sign-in, or that account."),
    EmailNotAcceptedError: lambda error: ProblemError("email-not-accepted", f"Of the address: {error}."),
    MailLinkRefusedError: lambda _: ProblemError("mail-link-refused", "Ask for another."),
    NoMailAddressError: lambda _: ProblemError("no-mail", "POST /v1/notices/mail has a link sent."),
    WebhookMissingError: lambda _: ProblemError("no-webhook", "PUT /v1/notices/webhook makes one."),
    WebhookRefusedError: lambda error: ProblemError("webhook-refused", f"Of the URL: {error}."),
    EmailTakenError: lambda _: ProblemError("email-taken", "Log in, or take another address."),
    TooManyKeysError: lambda _: ProblemError("too-many-keys", "Revoke one first."),
    AddressListedError: lambda _: ProblemError("address-listed", "Remove it first to list it anew."),
    TooManyAddressesError: lambda _: ProblemError("too-many-addresses", "Remove one first."),
    AddressNotListedError: lambda _: ProblemError(
        "address-not-listed", "List it with POST /v1/withdrawal-addresses."
    ),
    WithdrawalLimitError: lambda error: ProblemError("withdrawal-limit", f"The limit is {error}."),
    WithdrawalsStoppedError: lambda error: ProblemError(
        "withdrawals-stopped", f"Nothing was changed: {error}.", headers={"Retry-After": "60"}
    ),
    WithdrawalsFrozenError: lambda _: ProblemError(
        "withdrawals-frozen", "GET /v1/withdrawal-freezes tells by whom, and until when."
    ),
    FreezeTokenRefusedError: lambda _: ProblemError(
        "freeze-token-refused", "Use the link of a newer notice, or ask the exchange to freeze the account."
    ),
    NotFrozenError: lambda _: ProblemError(
        "not-frozen", "GET /v1/withdrawal-freezes tells what holds; an operator's freeze only he ends."
    ),
    SecondFactorNeededError: lambda _: ProblemError(
        "second-factor-needed", "Send the authenticator's six digits as totp."
    ),
    SecondFactorWrongError: lambda _: ProblemError(
        "second-factor-wrong", "Each code is good once, for half a minute."
    ),
    SecondFactorOnError: lambda _: ProblemError("second-factor-on", "Remove it first."),
    SecondFactorOffError: lambda _: ProblemError("second-factor-off", "Begin with POST /v1/second-factor."),
    ResetRefusedError: lambda _: ProblemError(
        "reset-refused", "Ask for a new one: POST /v1/password-resets."
    ),
    FaucetOffError: lambda _: ProblemError("faucet-off", "This exchange gives no money away."),
    InsufficientFundsError: lambda _: ProblemError(
        "insufficient-funds", "Available is less than the amount; money held by open orders does not count."
    ),
    UnknownAssetError: lambda _: ProblemError(
        "invalid-request",
        "1 fault; see errors",
        errors=[{"pointer": "#/asset", "detail": "no asset has this code"}],
    ),
    AmountError: lambda error: ProblemError(
        "invalid-request",
        "1 fault; see errors",
        errors=[{"pointer": "#/amount", "detail": str(error)}],
    ),
    PublicKeyError: lambda error: ProblemError(
        "invalid-request",
        "1 fault; see errors",
        errors=[{"pointer": "#/publicKey", "detail": str(error)}],
    ),
}


def add_problem_handlers(app: FastAPI) -> None:
    """Let no failure leave the app in another form."""

    async def on_known(_: Request, error: Exception) -> Response:
        return problem_response(_PROBLEMS[type(error)](error))

    async def on_problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return problem_response(error)

    async def on_attempts(_: Request, error: Exception) -> Response:
        assert isinstance(error, TooManyAttemptsError)
        headers = {"Retry-After": str(error.retry_after_s)}
        detail = f"Try again in {error.retry_after_s} seconds."
        return problem_response(ProblemError("too-many-attempts", detail, headers=headers))

    async def on_early_address(_: Request, error: Exception) -> Response:
        assert isinstance(error, AddressNotUsableYetError)
        members = {"usableAt": error.usable_ms}
        return problem_response(
            ProblemError("address-not-usable-yet", "Wait until usableAt (milliseconds).", members=members)
        )

    async def on_refusal(_: Request, error: Exception) -> Response:
        assert isinstance(error, TransferRefusedError)
        detail = _REFUSALS.get(error.reason, f"The engine refused with reason {error.reason}.")
        return problem_response(ProblemError("refused", detail))

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_of_validation(error)

    async def on_status(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_of_status(error.status_code, error.headers)

    async def on_anything(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem_of_status(500)

    for kind in _PROBLEMS:
        app.add_exception_handler(kind, on_known)
    app.add_exception_handler(ProblemError, on_problem)
    app.add_exception_handler(TooManyAttemptsError, on_attempts)
    app.add_exception_handler(TransferRefusedError, on_refusal)
    app.add_exception_handler(AddressNotUsableYetError, on_early_address)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_status)
    app.add_exception_handler(Exception, on_anything)
