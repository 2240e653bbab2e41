"""Routes for what protects an account: the password, its second factor, the brake on withdrawals."""

from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import Field, SecretStr

from services.user.doors.dependencies import CallerAddress, Service, SignedIn
from services.user.doors.schemas import NewPassword, Received, Sent, Totp, WithdrawalsFrozen
from services.user.people.email import Email

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")
_Password = Annotated[SecretStr, Field(min_length=1, max_length=128)]


class PasswordChange(Received):
    """The old password and a new one."""

    current_password: _Password
    new_password: NewPassword
    totp: Totp = None


class ResetRequest(Received):
    """Whose password shall be set anew."""

    email: Email


class PasswordReset(Received):
    """The token of a link, and the new password; whatever its length, a wrong token is answered alike."""

    token: Annotated[SecretStr, Field(min_length=1, max_length=200)]
    new_password: NewPassword
    totp: Totp = None


class Code(Received):
    """A code of the authenticator."""

    totp: Annotated[str, Field(min_length=1, max_length=10)]


class FactorRemoval(Code):
    """A code and the password: one of the two alone does not switch it off."""

    password: _Password


class FactorBegun(Sent):
    """The secret, shown this once, as text and as the address that authenticators read."""

    secret: str
    uri: str


class FactorShown(Sent):
    """Whether the account has a second factor."""

    is_on: bool


@router.put("/password", status_code=204)
async def change_password(
    body: PasswordChange, service: Service, session: SignedIn, caller: CallerAddress
) -> None:
    """Set a new password; all other sessions end, with their keys."""
    current, wanted = body.current_password.get_secret_value(), body.new_password.get_secret_value()
    await service.passwords.change(session, current, wanted, body.totp, caller)


@router.post("/password-resets", status_code=202)
async def ask_for_reset(body: ResetRequest, service: Service, caller: CallerAddress) -> None:
    """Have a link sent by mail. The answer is the same whether there is such an account."""
    await service.passwords.ask_reset(body.email, caller)


@router.post("/password-resets/confirmations", status_code=204)
async def reset_password(body: PasswordReset, service: Service, caller: CallerAddress) -> None:
    """Set a new password by a link; all sessions end, and withdrawals wait for a while."""
    token, wanted = body.token.get_secret_value(), body.new_password.get_secret_value()
    await service.passwords.reset(token, wanted, body.totp, caller)


@router.get("/second-factor")
async def second_factor(service: Service, session: SignedIn) -> FactorShown:
    """Whether log-ins, keys and withdrawals need a code."""
    return FactorShown(is_on=await service.second_factor.is_on(session.user_id))


@router.post("/second-factor", status_code=201)
async def begin_second_factor(service: Service, session: SignedIn) -> FactorBegun:
    """A new secret; nothing needs it before it is confirmed."""
    secret, uri = await service.second_factor.begin(session.user_id)
    return FactorBegun(secret=secret, uri=uri)


@router.post("/second-factor/confirmations", status_code=204)
async def confirm_second_factor(
    body: Code, service: Service, session: SignedIn, caller: CallerAddress
) -> None:
    """Switch it on, by its first code."""
    await service.second_factor.confirm(session.user_id, body.totp, caller)


@router.post("/second-factor/removals", status_code=204)
async def remove_second_factor(
    body: FactorRemoval, service: Service, session: SignedIn, caller: CallerAddress
) -> None:
    """Switch it off."""
    await service.passwords.demand(session, body.password.get_secret_value(), caller)
    await service.second_factor.remove(session.user_id, body.totp, caller)


@router.post("/withdrawal-freezes/own", status_code=201)
async def freeze_own(service: Service, session: SignedIn, caller: CallerAddress) -> WithdrawalsFrozen:
    """Freeze the withdrawals of one's own account; the password ends it, a while later."""
    return WithdrawalsFrozen(frozen_at=await service.freezes.freeze_own(session, caller))
