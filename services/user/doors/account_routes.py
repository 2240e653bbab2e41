"""Routes for people: accounts, sessions, API keys."""

from typing import Final

from fastapi import APIRouter

from services.user.doors.dependencies import CallerAddress, CallerAgent, Service, SignedIn
from services.user.doors.problems import ProblemError
from services.user.doors.schemas import (
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyRequest,
    ApiKeyShown,
    IdentityLinked,
    IdentityRequest,
    LoginRequest,
    Me,
    SessionOpened,
    SignUpRequest,
    UserCreated,
)

__all__ = ["router"]

router: Final = APIRouter(prefix="/v1")


@router.post("/users", status_code=201)
async def sign_up(body: SignUpRequest, service: Service, caller: CallerAddress) -> UserCreated:
    """Open an account."""
    user_id = await service.accounts.sign_up(body.email, body.password.get_secret_value(), caller)
    return UserCreated(user_id=user_id, email=body.email)


@router.post("/sessions", status_code=201)
async def log_in(
    body: LoginRequest, service: Service, caller: CallerAddress, agent: CallerAgent
) -> SessionOpened:
    """Open a session."""
    token = await service.accounts.log_in(
        body.email, body.password.get_secret_value(), caller, agent, body.totp
    )
    return SessionOpened(access_token=token, expires_in=service.accounts.session_lifetime_s)


@router.delete("/sessions/current", status_code=204)
async def log_out(service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """End the session that the token belongs to."""
    await service.accounts.log_out(session, caller)


@router.post("/identities", status_code=201)
async def link_identity(
    body: IdentityRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> IdentityLinked:
    """Let an outside sign-in with the account's own e-mail address open it too."""
    identity = await service.accounts.link(session, body.token.get_secret_value(), caller)
    return IdentityLinked(issuer=identity.issuer, subject=identity.subject)


@router.get("/me")
async def me(service: Service, session: SignedIn) -> Me:
    """The account of the session."""
    user = await service.accounts.user(session.user_id)
    if user is None:
        raise ProblemError("not-found", "The account of this session is gone.")
    return Me(user_id=user.user_id, email=user.email, created_at=user.created_ms)


@router.post("/api-keys", status_code=201, response_model_exclude_none=True)
async def create_api_key(
    body: ApiKeyRequest, service: Service, session: SignedIn, caller: CallerAddress
) -> ApiKeyCreated:
    """Make an API key. Its secret is in this answer and nowhere else."""
    session_id = None
    if body.for_session:
        session_id = await service.logins.id_of(session)
        if session_id is None:
            raise ProblemError("no-key-for-session", "Log in with a password, then ask again.")
    else:
        await service.second_factor.demand(session.user_id, body.totp, caller)
    pair = await service.accounts.create_api_key(
        *(session.user_id, body.label, body.permissions, body.ip_allow_list, body.public_key, caller),
        session_id=session_id,
    )
    return ApiKeyCreated(api_key=pair.api_key, secret_key=pair.secret_key)


@router.get("/api-keys")
async def list_api_keys(service: Service, session: SignedIn) -> ApiKeyList:
    """The account's API keys, without secrets."""
    rows = await service.accounts.api_keys(session.user_id)
    return ApiKeyList(
        api_keys=[
            ApiKeyShown(
                api_key=row["api_key"],
                label=row["label"],
                permissions=row["permissions"],
                ip_allow_list=row["ip_allow_list"],
                kind=row["kind"],
                created_at=row["created_ms"],
                last_used_at=row["last_used_ms"],
                session_id=row["session_id"],
            )
            for row in rows
        ]
    )


@router.delete("/api-keys/{api_key}", status_code=204)
async def revoke_api_key(api_key: str, service: Service, session: SignedIn, caller: CallerAddress) -> None:
    """Revoke an API key for good."""
    if not await service.accounts.revoke_api_key(session.user_id, api_key, caller):
        raise ProblemError("not-found", "The account has no such API key.")
