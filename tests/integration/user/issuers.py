"""A local issuer behind a real port that can be away, slow or nonsensical, and forgeries of its tokens."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from joserfc import jws
from joserfc.jwk import OctKey
from starlette.types import Receive, Scope, Send

from exchange.http.server import HttpServer, bind
from exchange.process.config import Settings
from local.issuer import LocalIssuer
from local.servers import free_port
from services.user.people.identities import Identities
from tests.at_work import eventually
from tests.integration.user.conftest import Exchange

__all__ = [
    "AUDIENCE",
    "MOODS",
    "WRONG_CLAIMS",
    "MoodyIssuer",
    "asked_of_all",
    "bearer",
    "believing",
    "everything_made",
    "forged",
    "keys_are_read",
    "running",
]

AUDIENCE = "client-of-the-tests"
_BODIES = {
    "nonsense": b"<html>",
    "no list": b'{"keys": {}}',
    "no keys": b'{"keys": []}',
    "no key for RS256": b'{"keys": [{"kty": "EC", "kid": "a", "crv": "P-256"}]}',
    "a broken key": b'{"keys": [{"kty": "RSA", "kid": "a", "n": "", "e": "AQAB"}]}',
    "a short key": json.dumps({"keys": [{"kty": "RSA", "kid": "a", "n": "a" * 171, "e": "AQAB"}]}).encode(),
    "huge": b'{"keys": [' + b" " * 200_000,
    "too many": json.dumps({"keys": [{"kty": "oct"}] * 1_000}).encode(),
    "deep": b"[" * 60_000,
}
MOODS = [*_BODIES, "slow", "endless", "status 500", "elsewhere"]

# Of tokens that are signed as they should be.
# Long before the tests run, if there are many: what lies ahead of it lies hours ahead.
_NOW_S = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://issuer.example.com"},
    "almost the issuer": {"iss": "http://127.0.0.1"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody else", "client_id": "somebody else"},
    "several audiences": {"aud": [AUDIENCE, "somebody else"], "client_id": ""},
    "no audience": {"aud": None, "client_id": None},
    "audience in the wrong place": {"aud": None, "client_id": None, "azp": AUDIENCE},
    "expired": {"exp": _NOW_S - 31, "iat": _NOW_S - 100},
    "never expires": {"exp": None},
    "expires in a year": {"exp": _NOW_S + 365 * 86_400},
    "expiry as text": {"exp": str(_NOW_S + 900)},
    "not valid yet": {"nbf": _NOW_S + 72_000},
    "from the future": {"iat": _NOW_S + 72_000, "exp": _NOW_S + 72_300},
    "no time": {"iat": None},
    "refresh token": {"token_use": "refresh"},
    "of no use": {"token_use": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "long subject": {"sub": "s" * 256},
    "subject as a number": {"sub": 1001},
    "no number": {"jti": None, "origin_jti": None},
    "too large": {"more": "m" * 8_000},
}


class MoodyIssuer(LocalIssuer):
    """`mood` "" is well; counts how often its keys were asked for."""

    def __init__(self, url: str, mood: str = "") -> None:
        super().__init__(url, AUDIENCE)
        self.mood = mood
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if not self.mood:
            await self.app(scope, receive, send)
            return
        status = {"status 500": 500, "elsewhere": 302}.get(self.mood, 200)
        if self.mood == "slow":
            await asyncio.sleep(60)
        headers = [(b"location", self.url.encode() + b"/.well-known/jwks.json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if self.mood == "endless":
            for _ in range(600):
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": _BODIES.get(self.mood, b"")})


@asynccontextmanager
async def running(mood: str = "") -> AsyncIterator[MoodyIssuer]:
    """An issuer at work on a free port."""
    port = free_port()
    issuer = MoodyIssuer(f"http://127.0.0.1:{port}", mood)
    server = HttpServer(issuer, bind("127.0.0.1", port))
    await server.start()
    task = asyncio.create_task(server.run())
    try:
        yield issuer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def believing(settings: Settings, *issuers: str, **more: Any) -> Settings:
    """The settings with these issuers in them."""
    told = {"identity_issuers": ",".join(issuers), "identity_audience": AUDIENCE, **more}
    return settings.model_copy(update=told)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def keys_are_read(exchange: Exchange) -> None:
    """Wait until every replica has asked every issuer once, well or not."""

    def asked() -> bool:
        found = [service._identities for service in exchange.replicas]
        assert all(isinstance(identities, Identities) for identities in found)
        return all(
            keys._failure != "they were not read yet"
            for identities in found
            if identities is not None
            for keys in identities._keys.values()
        )

    await eventually(asked)


async def everything_made(exchange: Exchange) -> Mapping[str, int]:
    """How many rows there are that a sign-in could make."""
    tables = ("users", "identities", "outside_logins", "audit_log", "api_keys")
    return {
        table: await exchange.resources.database.fetchval(f"SELECT count(*) FROM {table}") for table in tables
    }


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(issuer: LocalIssuer, token: str) -> dict[str, str]:
    """What people try with a good token of this issuer at hand."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    public = issuer.key.as_dict(private=False)
    stranger = LocalIssuer(issuer.url, AUDIENCE)
    kid = issuer.key.kid
    others_signature = issuer.tokens("eve@example.com")["idToken"].split(".")[2]

    def signed(header: dict[str, Any], key: Any = issuer.key) -> str:
        return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[header["alg"]])

    hmac_key = OctKey.import_key(issuer.key.as_pem(private=False).replace(b"-----", b"====="))
    return {
        "alg none": f"{part({'alg': 'none', 'kid': kid})}.{payload}.{signature}",
        "alg none, no signature": f"{part({'alg': 'none', 'kid': kid})}.{payload}.",
        "no alg": f"{part({'kid': kid})}.{payload}.{signature}",
        "HS256 with the public key": signed({"alg": "HS256", "kid": kid}, hmac_key),
        "RS512": signed({"alg": "RS512", "kid": kid}),
        "PS256": signed({"alg": "PS256", "kid": kid}),
        "key of a stranger": signed({"alg": "RS256", "kid": kid}, stranger.key),
        "unknown kid": signed({"alg": "RS256", "kid": "nobody's"}, stranger.key),
        "no kid": signed({"alg": "RS256"}),
        "key in the header": signed(
            {"alg": "RS256", "kid": kid, "jwk": stranger.key.as_dict(private=False)}, stranger.key
        ),
        "address of keys in the header": signed({"alg": "RS256", "kid": kid, "jku": "http://127.0.0.1/"}),
        "critical header": f"{part({'alg': 'RS256', 'kid': kid, 'crit': ['exp']})}.{payload}.{signature}",
        "unencoded payload": f"{part({'alg': 'RS256', 'kid': kid, 'b64': False})}.{payload}.{signature}",
        "tampered payload": f"{header}.{part({**claims, 'email': 'victim@example.com'})}.{signature}",
        "tampered header": f"{part({'alg': 'RS256', 'kid': kid, 'typ': 'x'})}.{payload}.{signature}",
        "signature of another": f"{header}.{payload}.{others_signature}",
        "header is no object": f"{part('alg')}.{payload}.{signature}",
        "payload is no object": f"{header}.{part([1])}.{signature}",
        "deep header": f"{base64.urlsafe_b64encode(b'[' * 3_000).decode()}.{payload}.{signature}",
        "deep payload": f"{header}.{base64.urlsafe_b64encode(b'[' * 3_000).decode()}.{signature}",
        "a space inside": f"{header}. {payload}.{signature}",
        "encrypted": f"{header}.{payload}.{signature}.{payload}.{signature}",
        "two parts": f"{header}.{payload}",
        "only dots": "..",
        "oversize": f"{header}.{payload}.{'A' * 9_000}",
        "public key as token": f"{public['n']}.{public['e']}.{public['n']}",
    }


async def asked_of_all(exchange: Exchange, token: str, path: str = "/v1/me") -> list[httpx.Response]:
    """The same request to every replica."""
    return [await client.get(path, headers=bearer(token)) for client in exchange.clients]
