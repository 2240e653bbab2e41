"""Signing in with a token of an outside issuer: whose it is, and whether its log-in still stands."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Self

from prometheus_client import Counter
from pydantic import TypeAdapter, ValidationError

from exchange.process.config import Settings
from exchange.security.identity.issuers import parse_issuers
from exchange.security.identity.tokens import Claims, TokenRefusedError
from exchange.security.identity.verifier import TokenVerifier
from services.user.people.email import Email
from services.user.people.sessions import OutsideLogin, Session, Sessions
from services.user.tables.database import Database
from services.user.tables.identities import Identity, IdentityStore, IdentityUnknownError, Login
from services.user.tables.readers import login_hash_of

if TYPE_CHECKING:
    from exchange.security.identity.issuer_keys import IssuerKeys

__all__ = ["EmailNotAcceptedError", "Identities", "is_outside", "verified_email"]

_email: Final = TypeAdapter[str](Email)
_tokens: Final = Counter(
    "exchange_user_outside_tokens_total", "Tokens of outside issuers that were shown", ["result"]
)


class EmailNotAcceptedError(Exception):
    """The token's e-mail address cannot open or link an account; the message says why."""


def is_outside(token: str) -> bool:
    """Whether it claims to be a JWT. Our own tokens have no dots."""
    return "." in token


def verified_email(claims: Claims) -> str | None:
    """The address in our form, None when the issuer has not verified it or no account can have it."""
    if claims.email is None or claims.email_verified not in (True, "true"):
        return None
    try:
        return _email.validate_python(claims.email)
    except ValidationError:
        return None


class Identities:
    """Believes the issuers of the settings, and nobody else.

    A log-in is what the issuer calls one (`origin_jti`, or `jti` where there is none): tokens that were
    refreshed belong to it too. It stands in the audit log once, and a log-out here ends all of it.
    """

    def __init__(
        self,
        keys: "Mapping[str, IssuerKeys]",
        audience: str,
        store: IdentityStore,
        sessions: Sessions,
        clock_ms: Callable[[], int],
    ) -> None:
        self._keys = dict(keys)
        self._verifier = TokenVerifier(keys, audience, clock_ms)
        self._store = store
        self._sessions = sessions
        self._clock_ms = clock_ms

    @classmethod
    def of(
        cls, settings: Settings, database: Database, sessions: Sessions, clock_ms: Callable[[], int]
    ) -> Self | None:
        """None when the settings name no issuer. Raises SettingsError."""
        issuers = parse_issuers(settings.identity_issuers)
        if not issuers:
            return None
        # An HTTP client and a library of keys: who believes no issuer is spared them.
        from exchange.security.identity.issuer_keys import IssuerKeys

        store = IdentityStore(database, link_by_email=settings.identity_link_by_email)
        keys = {issuer: IssuerKeys(issuer, url) for issuer, url in issuers.items()}
        return cls(keys, settings.identity_audience, store, sessions, clock_ms)

    async def run(self) -> None:
        """Keep the issuers' keys at hand. Ends by cancellation only."""
        async with asyncio.TaskGroup() as group:
            for issuer, keys in self._keys.items():
                group.create_task(keys.run(), name=f"keys of {issuer}")

    async def verified(self, token: str) -> Claims:
        """What the token proves. Raises TokenRefusedError, KeysUnavailableError."""
        try:
            claims = await self._verifier.verified(token)
        except TokenRefusedError:
            _tokens.labels("refused").inc()
            raise
        _tokens.labels("believed").inc()
        return claims

    async def known(self, claims: Claims) -> Session | None:
        """The session of a log-in that was seen before. Raises TokenRefusedError when it was ended."""
        login_hash = _login_hash(claims)
        return _session(await self._sessions.find_outside(login_hash), login_hash)

    async def log_in(self, claims: Claims, caller: str) -> Session:
        """The session of a log-in that is new here, or that the cache has forgotten.

        Raises TokenRefusedError, EmailNotAcceptedError, and what `IdentityStore.log_in` raises.
        """
        login_hash = _login_hash(claims)
        now_ms = self._clock_ms()
        forget_ms = max(claims.exp * 1000, now_ms) + self._sessions.lifetime_s * 1000
        login = Login(bytes.fromhex(login_hash), forget_ms)
        try:
            user_id = await self._store.log_in(_identity(claims), login, now_ms, caller)
        except IdentityUnknownError:
            if claims.email is None:
                raise
            raise EmailNotAcceptedError("the issuer has not verified it, or no account can have it") from None
        if user_id is None:
            await self._sessions.end_outside(login_hash)
            raise _ended()
        session = _session(await self._sessions.keep_outside(login_hash, user_id), login_hash)
        assert session is not None, "it was just kept"
        return session

    async def link(self, claims: Claims, user_id: int, caller: str) -> Identity:
        """Let whoever has this token open the account from now on.

        Raises TokenRefusedError, EmailNotAcceptedError, and what `IdentityStore.link` raises.
        """
        await self.known(claims)
        identity = _identity(claims)
        try:
            await self._store.link(identity, user_id, self._clock_ms(), caller)
        except IdentityUnknownError:
            raise EmailNotAcceptedError("it must be this account's, and verified by the issuer") from None
        return identity

    async def log_out(self, session: Session, caller: str) -> None:
        """End the log-in on every replica."""
        login_hash = bytes.fromhex(session.token_hash)
        await self._store.end(login_hash, session.user_id, self._clock_ms(), caller)
        await self._sessions.end_outside(session.token_hash)


def _login_hash(claims: Claims) -> str:
    return login_hash_of(claims.iss, claims.sub, claims.origin_jti or claims.jti)


def _session(login: OutsideLogin, login_hash: str) -> Session | None:
    if login.has_ended:
        raise _ended()
    return None if login.user_id is None else Session(login.user_id, login_hash, is_outside=True)


def _ended() -> TokenRefusedError:
    return TokenRefusedError("its log-in was ended here")


def _identity(claims: Claims) -> Identity:
    return Identity(claims.iss, claims.sub, verified_email(claims))
