"""No password, token, secret or data key is ever written down, not even at log level DEBUG."""

import base64
import hmac
import io
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import boto3
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from exchange.adapters.aws.kms import KmsKeyWrapper
from exchange.adapters.files.key import load_or_create_key
from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.process.frame import configure_logging
from exchange.process.log_lines import LogFormat
from exchange.security import key_ring
from exchange.security.credentials import PostgresCredentials
from exchange.security.key_ring import KeyRing
from local.servers import free_port
from tests.security.conftest import PASSWORD, Exchange, Trader

pytestmark = pytest.mark.integration


@pytest.fixture(params=get_args(LogFormat))
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process with EXCHANGE_LOG_LEVEL=DEBUG writes. The program's own set-up, on another stream."""
    root = logging.getLogger()
    handlers, level = root.handlers.copy(), root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    # `force` would close the handlers that pytest has put there.
    root.handlers.clear()
    configure_logging("DEBUG", request.param)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def data_keys(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every data key that is made while the test runs."""
    seen: list[bytes] = []

    def watched(key: bytes) -> AESGCM:
        seen.append(key)
        return AESGCM(key)

    monkeypatch.setattr(key_ring, "AESGCM", watched)
    return seen


def assert_absent(text: str, secrets: dict[str, bytes | str]) -> None:
    for name, secret in secrets.items():
        raw = secret.encode() if isinstance(secret, str) else secret
        forms = {
            "as it is": raw.decode("latin-1"),
            "as Python shows it": repr(raw)[2:-1],
            "as JSON shows it": json.dumps(raw.decode("latin-1"))[1:-1],
            "hex": raw.hex(),
            "base64": base64.b64encode(raw).decode(),
        }
        for form, shown in forms.items():
            assert shown not in text, f"{name} was written down ({form})"


async def test_a_day_of_work_writes_no_secret_down(
    exchange: Exchange, written: io.StringIO, data_keys: list[bytes]
) -> None:
    trader = await exchange.trader("alice")
    await everything_that_can_go_wrong(trader)
    text = written.getvalue()
    logging.getLogger("exchange").debug("the end")
    assert "the end" in written.getvalue(), "the log is being watched"
    assert data_keys
    assert_absent(
        text,
        {
            "password": PASSWORD,
            "wrong password": "a wrong guess, secret too",
            "token": trader.token,
            "API secret": trader.secret,
            "data key": data_keys[0],
            "key of the file": load_or_create_key(exchange.resources.settings.secret_key_file),
        },
    )


async def everything_that_can_go_wrong(trader: Trader) -> None:
    client, wrong = trader.client, "a wrong guess, secret too"
    login = {"email": trader.email, "password": wrong}
    assert (await client.post("/v1/sessions", json=login)).status_code == 401
    assert (await client.post("/v1/users", json=login)).status_code == 409
    assert (await client.post("/v1/users", json={**login, "more": wrong})).status_code == 422
    assert (await client.post("/v1/users", json={"email": wrong, "password": wrong})).status_code == 422
    assert (await client.post("/v1/users", content=f'{{"password": "{wrong}"')).status_code in (400, 415)
    assert (await trader.signed("GET", "/account")).status_code == 200
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    placed = await trader.signed("POST", "/order", **order, quantity="0.01", price="20000")
    assert placed.status_code == 200
    assert "result" in await trader.ask("account.status", {})
    # The secret where the key belongs, and a signature by another secret.
    muddled = Trader(client, trader.ws_url, api_key=trader.secret, secret=trader.secret)
    assert (await muddled.signed("GET", "/account")).status_code == 401
    assert "error" in await muddled.ask("account.status", {})
    forger = Trader(client, trader.ws_url, api_key=trader.api_key, secret="another secret")
    assert (await forger.signed("POST", "/order", **order)).json()["code"] == -1022
    assert (await client.get("/v1/me", headers={"Authorization": f"Basic {trader.token}"})).status_code == 401
    assert (await client.delete("/v1/sessions/current", headers=trader.headers)).status_code == 204
    assert (await client.get("/v1/me", headers=trader.headers)).status_code == 401


async def test_a_key_management_service_is_asked_in_silence(
    resources: Resources,
    written: io.StringIO,
    data_keys: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    server = ThreadedMotoServer("127.0.0.1", free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("kms", endpoint_url=url)
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        client.close()
        resources = replace(resources, key_wrapper=KmsKeyWrapper(key_id, 5_000, url))
        sealed = await KeyRing.from_resources(resources).seal(b"secret of a key", b"place")
        assert await KeyRing.from_resources(resources).open(sealed, b"place") == b"secret of a key"
    finally:
        server.stop()
    assert data_keys
    assert_absent(written.getvalue(), {"data key": data_keys[0], "secret": b"secret of a key"})


def test_the_settings_are_shown_without_their_secrets() -> None:
    settings = Settings(
        database_dsn=SecretStr("postgresql://exchange:hunter22@db/exchange"),
        cache_url=SecretStr("rediss://:hunter33@cache:6379/0"),
    )
    for shown in (
        repr(settings),
        str(settings),
        str(settings.model_dump(mode="json")),
        settings.model_dump_json(),
    ):
        assert "hunter" not in shown
        assert "secret.key" in shown


async def test_a_key_shows_its_secret_to_nobody(exchange: Exchange) -> None:
    trader = await exchange.trader("alice")
    found = await PostgresCredentials.from_resources(exchange.resources).find(trader.api_key)
    assert found is not None
    assert found.secret == trader.secret.encode()
    assert hmac.compare_digest(found.secret, trader.secret.encode())
    assert trader.secret not in repr(found)
    shown = await trader.client.get("/v1/api-keys", headers=trader.headers)
    assert trader.secret not in shown.text
