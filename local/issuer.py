"""An issuer of tokens for laptops and tests, where Cognito would be: `python -m local.issuer`.

It gives anybody a token for any e-mail address, so it listens on this machine alone, and an exchange that
believes it must hold no real money. Its tokens have Cognito's form and pass the same verification.
"""

import time
import uuid
from typing import Annotated, Any, Final

import typer
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

__all__ = ["LocalIssuer"]

LIFETIME_S: Final = 900
_MODULUS_BITS: Final = 2_048
_EMAIL_LENGTH_MAX: Final = 254


class LocalIssuer:
    """Signs with a key of its own, and shows the public half at `<url>/.well-known/jwks.json`.

    `url`: what stands in `iss`. `audience`: the client that the tokens are made for.
    """

    def __init__(self, url: str, audience: str) -> None:
        self.url = url
        self.audience = audience
        self.key = _new_key()
        self.app = Starlette(
            routes=[
                Route("/.well-known/jwks.json", self._show_keys),
                Route("/tokens", self._give_tokens, methods=["POST"]),
            ]
        )

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is forgotten."""
        self.key = _new_key()

    def tokens(self, email: str, *, is_verified: bool = True, **claims: Any) -> dict[str, str]:
        """An id and an access token of one log-in. `claims` replace what would stand there; None removes."""
        login = {"origin_jti": str(uuid.uuid4()), "sub": str(uuid.uuid5(uuid.NAMESPACE_URL, email))}
        of_id = {"aud": self.audience, "email": email, "email_verified": is_verified}
        return {
            "idToken": self._token("id", {**login, **of_id, **claims}),
            "accessToken": self._token("access", {**login, "client_id": self.audience, **claims}),
        }

    def _token(self, use: str, claims: dict[str, Any]) -> str:
        now_s = int(time.time())
        told = {
            "iss": self.url,
            "token_use": use,
            "jti": str(uuid.uuid4()),
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
        }
        told |= claims
        return jwt.encode(
            {"alg": "RS256", "kid": self.key.kid},
            {name: value for name, value in told.items() if value is not None},
            self.key,
        )

    async def _show_keys(self, _: Request) -> JSONResponse:
        return JSONResponse({"keys": [self.key.as_dict(private=False, alg="RS256", use="sig")]})

    async def _give_tokens(self, request: Request) -> JSONResponse:
        email = request.query_params.get("email", "")
        if "@" not in email or len(email) > _EMAIL_LENGTH_MAX:
            return JSONResponse({"detail": "POST /tokens?email=somebody@example.com"}, 422)
        return JSONResponse(self.tokens(email))


def _new_key() -> RSAKey:
    return RSAKey.generate_key(_MODULUS_BITS, {"kid": str(uuid.uuid4())}, private=True)


def _run(
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 8090,
    audience: Annotated[str, typer.Option(help="The client that the tokens are made for.")] = "local",
) -> None:
    """Give tokens to whoever asks, until Ctrl-C."""
    url = f"http://127.0.0.1:{port}"
    print(f"EXCHANGE_IDENTITY_ISSUERS={url} EXCHANGE_IDENTITY_AUDIENCE={audience}")
    print(f"curl -X POST '{url}/tokens?email=somebody@example.com'", flush=True)
    uvicorn.run(LocalIssuer(url, audience).app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(_run)
