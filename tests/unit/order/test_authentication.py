"""Signatures, times, keys and addresses (binance-spot-api sections 0 and 1)."""

import base64
import time
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exchange.contracts.errors import ApiError
from exchange.security.credentials import ED25519, HMAC, ApiKey
from services.order.doors.authentication import Authenticator, is_signature_valid, signed_payload
from services.order.doors.endpoint import READ, TRADE
from services.order.doors.rest import parse_parameters
from services.order.doors.ws_requests import decode_request, sign_payload, texts
from tests.conformance import covers
from tests.unit.order.order_exchange import (
    ALICE,
    BOB,
    KEYS,
    READER,
    OrderExchange,
    hmac_key,
    limit_order,
    sign,
)

DOCS_SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
DOCS_KEY = ApiKey(
    api_key="vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    user_id=1,
    kind=HMAC,
    secret=DOCS_SECRET,
    public_key_pem=None,
    permissions=frozenset({READ, TRADE}),
    ip_allow_list=(),
)
REST_PAYLOAD = (
    b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    b"&timestamp=1499827319559"
)
REST_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
WS_SIGNATURE = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"


class OneKey:
    def __init__(self, key: ApiKey) -> None:
        self.key = key

    async def find(self, api_key: str) -> ApiKey | None:
        return self.key if api_key == self.key.api_key else None


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (REST_PAYLOAD + b"&signature=" + REST_SIGNATURE.encode(), b""),
        (b"", REST_PAYLOAD + b"&signature=" + REST_SIGNATURE.encode()),
        (b"signature=" + REST_SIGNATURE.encode() + b"&" + REST_PAYLOAD, b""),
        (REST_PAYLOAD.replace(b"&side", b"&signature=" + REST_SIGNATURE.encode() + b"&side"), b""),
        (REST_PAYLOAD, b"signature=" + REST_SIGNATURE.upper().encode()),
        (REST_PAYLOAD[:40], REST_PAYLOAD[40:] + b"&signature=" + REST_SIGNATURE.encode()),
    ],
    ids=["query", "body", "first", "middle", "upper case", "split"],
)
async def test_docs_vector_is_accepted_wherever_the_signature_stands(query: bytes, body: bytes) -> None:
    assert signed_payload(query, body) == REST_PAYLOAD
    raw = query + body
    signature = raw.partition(b"signature=")[2].partition(b"&")[0].decode()
    assert is_signature_valid(DOCS_KEY, signature, signed_payload(query, body))


@covers("HMAC keys")
async def test_docs_vector_passes_the_whole_check_at_its_time() -> None:
    authenticator = Authenticator(OneKey(DOCS_KEY), lambda: 1499827319559_000 + 1_000)
    query = REST_PAYLOAD + b"&signature=" + REST_SIGNATURE.encode()
    caller = await authenticator.authenticate(
        DOCS_KEY.api_key, parse_parameters(query, b""), signed_payload(query, b""), "127.0.0.1", TRADE
    )
    assert (caller.user_id, caller.valid_until_ms) == (1, 1499827319559 + 5_000)


def test_docs_vector_of_the_websocket_api_is_accepted() -> None:
    request = decode_request(
        '{"id":1,"method":"v3/order.place","params":{"symbol":"BTCUSDT","side":"SELL","type":"LIMIT",'
        '"timeInForce":"GTC","quantity":"0.01000000","price":"52000.00","recvWindow":100,'
        f'"apiKey":"{DOCS_KEY.api_key}","timestamp":1645423376532,"signature":"x"}}}}'
    )
    assert request.method == "order.place"
    assert is_signature_valid(DOCS_KEY, WS_SIGNATURE, sign_payload(texts(request.params)))


def test_booleans_and_numbers_are_signed_as_written() -> None:
    request = decode_request(
        '{"method":"m","params":{"b":false,"a":1.50,"c":null,"d":1e-05,"symbols":["A", "B"]}}'
    )
    assert sign_payload(texts(request.params)) == b'a=1.50&b=false&d=1e-05&symbols=["A","B"]'


def test_ed25519_and_rsa_signatures_are_accepted_and_checked() -> None:
    payload = b"symbol=BTCUSDT&timestamp=1"
    edwards = Ed25519PrivateKey.generate()
    big = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signatures: list[tuple[Any, bytes]] = [
        (edwards.public_key(), edwards.sign(payload)),
        (big.public_key(), big.sign(payload, PKCS1v15(), SHA256())),
    ]
    for public_key, signature in signatures:
        pem = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        key = ApiKey("K", 1, ED25519, None, pem, frozenset({READ}), ())
        text = base64.b64encode(signature).decode()
        assert is_signature_valid(key, text, payload)
        assert not is_signature_valid(key, text, payload + b"0")
        assert not is_signature_valid(key, "not base64!", payload)
        assert not is_signature_valid(key, "", payload)


@covers("Ed25519 keys")
async def test_ed25519_signature_travels_percent_encoded(exchange: OrderExchange) -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    exchange.credentials.keys["E" * 64] = ApiKey("E" * 64, ALICE, ED25519, None, pem, frozenset({READ}), ())
    payload = f"timestamp={time.time_ns() // 1_000_000}"
    signature = quote(base64.b64encode(private.sign(payload.encode())).decode(), safe="")
    answer = await exchange.raw(
        "GET", "/account", f"{payload}&signature={signature}", headers={"X-MBX-APIKEY": "E" * 64}
    )
    assert answer.status_code == 200
    assert answer.json()["uid"] == ALICE


NOW_MS = 1_700_000_000_000


@covers("-1021")
@pytest.mark.parametrize(
    ("timestamp", "window", "code"),
    [
        (str(NOW_MS), None, 0),
        (str(NOW_MS * 1_000), "0.001", 0),
        (str(NOW_MS - 5_000), None, 0),
        (str(NOW_MS - 5_001), None, -1021),
        (str(NOW_MS - 6_000), "6000.5", 0),
        (str(NOW_MS + 999), None, 0),
        (str(NOW_MS + 1_000), None, -1021),
        (str((NOW_MS - 6_001) * 1_000), "6000.999", -1021),
        (str(NOW_MS), "60000", 0),
        (str(NOW_MS), "60000.001", -1131),
        (str(NOW_MS), "5000.0001", -1100),
        (str(NOW_MS), "-1", -1100),
        (str(NOW_MS), "1e3", -1100),
        (str(NOW_MS), "", -1105),
        (str(NOW_MS), "nan", -1100),
        ("", None, -1102),
        ("abc", None, -1100),
        ("-1", None, -1100),
        ("1e12", None, -1100),
        (f"{NOW_MS}.5", None, -1100),
        ("9" * 20, None, -1108),
        ("9" * 21, None, -1100),
        ("٣" * 13, None, -1100),  # Arabic-Indic digits
        ("0", None, -1021),
    ],
)
def test_time_rules(timestamp: str, window: str | None, code: int) -> None:
    authenticator = Authenticator(OneKey(DOCS_KEY), lambda: NOW_MS * 1_000)
    parameters = {"timestamp": timestamp} | ({} if window is None else {"recvWindow": window})
    if code == 0:
        assert authenticator.check_time(parameters) >= NOW_MS - 1_000
        return
    with pytest.raises(ApiError) as caught:
        authenticator.check_time(parameters)
    assert caught.value.code == code


async def test_stale_request_reaches_no_engine(exchange: OrderExchange) -> None:
    old = time.time_ns() // 1_000_000 - 6_000
    answer = await exchange.request(
        "POST", "/order", ALICE, timestamp=old, **limit_order("BUY", "50000", "1")
    )
    assert answer.json() == {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
    assert exchange.commands == []


@covers("-1022")
@pytest.mark.parametrize(
    ("signature", "code"),
    [("", -1102), ("0" * 64, -1022), ("xyz", -1022), ("%C3%A9", -1022), (None, -1102)],
)
async def test_bad_signatures_are_refused(exchange: OrderExchange, signature: str | None, code: int) -> None:
    query = f"timestamp={time.time_ns() // 1_000_000}" + (
        "" if signature is None else f"&signature={signature}"
    )
    answer = await exchange.raw("GET", "/account", query, headers={"X-MBX-APIKEY": KEYS[ALICE]})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_signature_of_another_user_does_not_open_an_account(exchange: OrderExchange) -> None:
    payload = f"timestamp={time.time_ns() // 1_000_000}"
    answer = await exchange.raw(
        "GET",
        "/account",
        f"{payload}&signature={sign(payload.encode(), BOB)}",
        headers={"X-MBX-APIKEY": KEYS[ALICE]},
    )
    assert answer.json() == {"code": -1022, "msg": "Signature for this request is not valid."}


async def test_signed_parameters_cannot_be_changed(exchange: OrderExchange) -> None:
    payload = f"symbol=BTCUSDT&timestamp={time.time_ns() // 1_000_000}"
    signature = sign(payload.encode(), ALICE)
    changed = payload.replace("BTCUSDT", "ETHUSDT")
    answer = await exchange.raw(
        "GET", "/openOrders", f"{changed}&signature={signature}", headers={"X-MBX-APIKEY": KEYS[ALICE]}
    )
    assert answer.json()["code"] == -1022
    added = await exchange.raw(
        "DELETE", "/openOrders", f"{payload}&signature={signature}", b"symbol=ETHUSDT",
        headers={"X-MBX-APIKEY": KEYS[ALICE]},
    )  # fmt: skip
    assert added.json()["code"] == -1022


@covers("-2014")
@pytest.mark.parametrize("api_key", [None, "", "with space", "K" * 129, "ключ".encode().decode("latin-1")])
async def test_key_that_is_none_is_refused_as_malformed(exchange: OrderExchange, api_key: str | None) -> None:
    headers = {} if api_key is None else {"X-MBX-APIKEY": api_key}
    answer = await exchange.raw("GET", "/account", "timestamp=1&signature=0", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"code": -2014, "msg": "API-key format invalid."})


@covers("-2015")
async def test_unknown_key_missing_permission_and_wrong_address_look_the_same(
    exchange: OrderExchange,
) -> None:
    refusal = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    may_read = await exchange.request("GET", "/account", READER)
    assert may_read.status_code == 200
    may_not_trade = await exchange.request("POST", "/order", READER, **limit_order("BUY", "50000", "1"))
    assert (may_not_trade.status_code, may_not_trade.json()) == (401, refusal)
    exchange.credentials.keys[KEYS[ALICE]] = hmac_key(ALICE, "READ", ip_allow_list=("198.51.100.0/24",))
    assert (await exchange.request("GET", "/account", ALICE)).json() == refusal
    exchange.credentials.keys[KEYS[ALICE]] = hmac_key(ALICE, "READ", ip_allow_list=("203.0.113.0/24",))
    assert (await exchange.request("GET", "/account", ALICE)).status_code == 200
    del exchange.credentials.keys[KEYS[ALICE]]
    assert (await exchange.request("GET", "/account", ALICE)).json() == refusal


def test_key_of_one_kind_cannot_be_used_as_another() -> None:
    keyless = replace(DOCS_KEY, secret=None)
    assert not is_signature_valid(keyless, REST_SIGNATURE, REST_PAYLOAD)
    no_pem = replace(DOCS_KEY, kind=ED25519)
    assert not is_signature_valid(no_pem, REST_SIGNATURE, REST_PAYLOAD)
    broken = replace(
        DOCS_KEY, kind=ED25519, public_key_pem="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"
    )
    assert not is_signature_valid(broken, REST_SIGNATURE, REST_PAYLOAD)
