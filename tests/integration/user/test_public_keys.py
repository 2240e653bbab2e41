"""API keys whose private half stays with their owner: Ed25519 and RSA (binance-spot-api 1)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.security.credentials import ED25519, RSA, PostgresCredentials
from services.order.doors.authentication import is_signature_valid
from tests.conformance import covers
from tests.integration.user.conftest import Exchange, assert_problem

pytestmark = pytest.mark.integration


async def test_an_ed25519_key_has_no_secret(exchange: Exchange) -> None:
    person = await exchange.signed_in()
    pem = _public_pem(Ed25519PrivateKey.generate())
    body = {"label": "signed", "permissions": ["READ"], "publicKey": pem}
    created = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    assert created.status_code == 201
    assert set(created.json()) == {"apiKey"}
    found = await PostgresCredentials.from_resources(exchange.resources).find(created.json()["apiKey"])
    assert found is not None
    assert (found.kind, found.secret, found.public_key_pem) == (ED25519, None, pem)


@covers("RSA keys")
@pytest.mark.parametrize("bits", [2_048, 4_096])
async def test_an_rsa_key_has_no_secret_and_signs(exchange: Exchange, bits: int) -> None:
    person = await exchange.signed_in()
    private = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    body = {"label": "signed", "permissions": ["READ"], "publicKey": pem}
    created = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    assert created.status_code == 201, created.text
    assert set(created.json()) == {"apiKey"}
    found = await PostgresCredentials.from_resources(exchange.resources).find(created.json()["apiKey"])
    assert found is not None
    assert (found.kind, found.secret, found.public_key_pem) == (RSA, None, pem)
    payload = b"symbol=BTCUSDT&timestamp=1"
    signature = base64.b64encode(private.sign(payload, PKCS1v15(), SHA256())).decode()
    assert is_signature_valid(found, signature, payload)
    assert not is_signature_valid(found, signature, payload + b"0")


@pytest.mark.parametrize(
    "public_key",
    [
        "nonsense",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        generate_private_key(SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        "\u00e9",
        rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    ],
    ids=["no key", "an empty key", "a key of another kind", "no ASCII", "too short an RSA key"],
)
async def test_only_an_ed25519_or_rsa_public_key_is_taken(exchange: Exchange, public_key: str) -> None:
    person = await exchange.signed_in()
    body = {"label": "bad", "permissions": ["READ"], "publicKey": public_key}
    refused = await exchange.client.post("/v1/api-keys", json=body, headers=person.headers)
    assert_problem(refused, 422)
    assert refused.json()["errors"][0]["pointer"] == "#/publicKey"
    assert await exchange.resources.database.fetchval("SELECT count(*) FROM api_keys") == 0


def _public_pem(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
