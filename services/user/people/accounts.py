"""People and their keys: sign-up, log-in, log-out, API keys."""

import secrets
import string
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import redis.asyncio
from asyncpg import Record
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from exchange.contracts import limits
from exchange.http.addresses import OWNERS_OF_V4_NETWORK_MAX, owner_with_network
from exchange.security.audit_log import Act
from exchange.security.credentials import (
    API_KEY_LENGTH,
    ED25519,
    HMAC,
    RSA,
    announce_revocation,
    hash_api_key,
)
from exchange.security.identity.tokens import TokenRefusedError
from exchange.security.key_ring import KeyRing, api_secret_place
from services.user.people.identities import Identities, is_outside
from services.user.people.logins import Logins
from services.user.people.password_check import demand_password
from services.user.people.passwords import Passwords
from services.user.people.second_factor import SecondFactor
from services.user.people.sessions import SESSIONS_PER_USER_MAX, Session, Sessions
from services.user.tables.accounts import AccountStore, NewApiKey, User
from services.user.tables.identities import Identity, IdentityNotLinkedError

__all__ = ["Accounts", "KeyPair", "PublicKeyError"]

API_KEYS_PER_USER_MAX: Final = limits.API_KEYS_PER_USER_MAX
# In bits, as Binance takes them (binance-spot-api 1).
RSA_KEY_SIZES: Final = (2_048, 4_096)
ATTEMPTS_PER_ACCOUNT_MAX: Final = 10
ATTEMPTS_PER_ADDRESS_MAX: Final = 60
ATTEMPTS_PER_NETWORK_MAX: Final = 240
ATTEMPTS_WINDOW_S: Final = 60
_LETTERS: Final = string.ascii_letters + string.digits


class PublicKeyError(ValueError):
    """The text is no Ed25519 or RSA public key in PEM, or an RSA key of another size."""


class KeyPair(NamedTuple):
    """A new API key. `secret_key` is None for Ed25519 and RSA, whose private half its owner keeps."""

    api_key: str
    secret_key: str | None


class Accounts:
    """What people do with their account. Raises also what store, sessions and passwords raise."""

    def __init__(
        self,
        store: AccountStore,
        sessions: Sessions,
        passwords: Passwords,
        key_ring: KeyRing,
        cache: "redis.asyncio.Redis",
        identities: Identities | None,
        logins: Logins,
        second_factor: SecondFactor,
        *,
        cache_deadline_ms: int,
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._key_ring = key_ring
        self._cache = cache
        self._identities = identities
        self._logins = logins
        self._second_factor = second_factor
        self._cache_deadline_ms = cache_deadline_ms
        self._clock_ms = clock_ms

    @property
    def session_lifetime_s(self) -> int:
        """Seconds until a session ends by itself."""
        return self._sessions.lifetime_s

    async def sign_up(self, email: str, password: str, caller: str) -> int:
        """Create an account and return its id. Raises EmailTakenError, TooManyAttemptsError."""
        await self._count_attempt("sign-up", email, caller)
        password_hash = await self._passwords.hash(password)
        return await self._store.add_user(email, password_hash, self._clock_ms(), caller)

    async def log_in(
        self, email: str, password: str, caller: str, agent: str, code: str | None = None
    ) -> str:
        """Open a session and return its token.

        Raises WrongCredentialsError, TooManyAttemptsError, and what `SecondFactor.demand` raises.
        """
        await self._count_attempt("log-in", email, caller)
        found = await self._store.user_by_email(email)
        user_id = None if found is None else found.user_id
        failed = Act("log-in-failed", user_id, caller, self._clock_ms(), {"email": email})
        user = await demand_password(self._store, self._passwords, found, password, failed)
        await self._second_factor.demand(user.user_id, code, caller)
        act = Act("log-in", user_id, caller, self._clock_ms(), {"email": email})
        return await self._logins.open(user.user_id, act, agent)

    async def _count_attempt(self, action: str, email: str | None, caller: str) -> None:
        """By address, so that nobody tries many accounts; by account, so that many do not try one."""
        owner = owner_with_network(caller)
        limits = [(f"address {owner.name}", ATTEMPTS_PER_ADDRESS_MAX)]
        if owner.siblings_max < OWNERS_OF_V4_NETWORK_MAX:
            # One customer's /48 of IPv6 holds 65,536 of what we take for an owner.
            limits.append((f"network {owner.network}", ATTEMPTS_PER_NETWORK_MAX))
        if email is not None:
            limits.append((f"account {email}", ATTEMPTS_PER_ACCOUNT_MAX))
        for who, attempts_max in limits:
            await self._sessions.count_attempt(
                action, who, attempts_max=attempts_max, window_s=ATTEMPTS_WINDOW_S
            )

    async def session(self, token: str, caller: str) -> Session | None:
        """The session that `token` opened, None when it has ended.

        For a token of an outside issuer, raises what `Identities.verified` and `Identities.log_in` raise, and
        TooManyAttemptsError. Tokens that are refused or new count, and no others: nobody's tries keep those
        out who are in.
        """
        if self._identities is None or not is_outside(token):
            return await self._sessions.find(token)
        try:
            claims = await self._identities.verified(token)
            session = await self._identities.known(claims)
        except TokenRefusedError:
            await self._count_attempt("outside-token", None, caller)
            raise
        if session is not None:
            return session
        await self._count_attempt("outside-token", None, caller)
        try:
            return await self._identities.log_in(claims, caller)
        except IdentityNotLinkedError:
            detail = {"issuer": claims.iss, "subject": claims.sub, "email": claims.email}
            await self._store.record(Act("log-in-failed", None, caller, self._clock_ms(), detail))
            raise

    async def link(self, session: Session, token: str, caller: str) -> Identity:
        """Let an outside identity open this account. Raises as `Identities.verified` and `.link` do."""
        if self._identities is None:
            raise TokenRefusedError("no outside issuer is believed here")
        await self._count_attempt("outside-token", None, caller)
        claims = await self._identities.verified(token)
        return await self._identities.link(claims, session.user_id, caller)

    async def log_out(self, session: Session, caller: str) -> None:
        """End the session, or all of the log-in at an outside issuer, on every replica."""
        if session.is_outside:
            assert self._identities is not None, "it made this session"
            await self._identities.log_out(session, caller)
            return
        await self._logins.log_out(session, caller)

    async def user(self, user_id: int) -> User | None:
        """The account of a session."""
        return await self._store.user_by_id(user_id)

    async def create_api_key(
        self,
        user_id: int,
        label: str,
        permissions: Sequence[str],
        ip_allow_list: Sequence[str],
        public_key: str | None,
        caller: str,
        session_id: int | None = None,
    ) -> KeyPair:
        """Make a key; with `session_id` it ends with that session, and takes the place of its last one.

        Raises PublicKeyError, TooManyKeysError, KeyRingError.
        """
        kind, public_key_pem = (HMAC, None) if public_key is None else _canonical_public_key(public_key)
        pair = KeyPair(_random_text(), _random_text() if public_key_pem is None else None)
        key_hash = hash_api_key(pair.api_key)
        sealed = None
        if pair.secret_key is not None:
            place = api_secret_place(user_id, key_hash)
            sealed = await self._key_ring.seal(pair.secret_key.encode("ascii"), place)
        key = NewApiKey(
            key_hash=key_hash,
            api_key=pair.api_key,
            user_id=user_id,
            label=label,
            permissions=sorted(permissions),
            ip_allow_list=ip_allow_list,
            kind=kind,
            secret_encrypted=sealed,
            public_key_pem=public_key_pem,
            created_ms=self._clock_ms(),
            session_id=session_id,
        )
        for replaced in await self._store.add_api_key(key, API_KEYS_PER_USER_MAX, caller):
            await announce_revocation(self._cache, replaced, self._cache_deadline_ms)
        return pair

    async def acts_of(self, user_id: int, before_id: int, limit: int) -> list[Record]:
        """The account's lines of the audit log before this one: id, time_ms, ip, act; the newest first."""
        return await self._store.acts_of(user_id, before_id, limit)

    async def api_keys(self, user_id: int) -> list[Record]:
        """The user's keys, as AccountStore.api_keys_of gives them."""
        return await self._store.api_keys_of(user_id, API_KEYS_PER_USER_MAX + SESSIONS_PER_USER_MAX)

    async def revoke_api_key(self, user_id: int, api_key: str, caller: str) -> bool:
        """Revoke a key and tell every process; False when the user has no such key."""
        if len(api_key) != API_KEY_LENGTH or not (api_key.isascii() and api_key.isalnum()):
            return False
        key_hash = hash_api_key(api_key)
        revoked = await self._store.revoke_api_key(user_id, key_hash, self._clock_ms(), caller)
        if revoked:
            await announce_revocation(self._cache, key_hash, self._cache_deadline_ms)
        return revoked


def _random_text() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(API_KEY_LENGTH))


def _canonical_public_key(pem: str) -> tuple[str, str]:
    """Its kind, and the key written our way, so that nothing but the key is kept. Raises PublicKeyError.

    Larger RSA keys than Binance takes (2048 or 4096 bits) would make each request as dear as ten.
    """
    try:
        key = load_pem_public_key(pem.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        raise PublicKeyError("not a public key in PEM") from None
    if isinstance(key, Ed25519PublicKey):
        kind = ED25519
    elif isinstance(key, RSAPublicKey) and key.key_size in RSA_KEY_SIZES:
        kind = RSA
    else:
        raise PublicKeyError("neither an Ed25519 key nor an RSA key of 2048 or 4096 bits")
    return kind, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
