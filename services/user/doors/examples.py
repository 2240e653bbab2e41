"""Examples for the OpenAPI document of /v1: one value for each name, put together by the schemas. Pure.

Each schema's example is made of those of its properties, so none is left out or says other than its schema;
tests validate them all, and send those of bodies.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["VALUES", "with_examples"]

_NOW_MS: Final = 1_794_873_600_000
# Name of a property, or "Schema.property" where one says something else there -> its value.
VALUES: Final[Mapping[str, object]] = {
    "accessToken": "u5QfJX2m1c7iB9Yk0pZt3w8RrVdNsHgLxKqEaTvMoWc",
    "act": "log-in",
    "address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "addressId": 7,
    "agent": "Mozilla/5.0",
    "amount": "100.25000000",
    "apiKey": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "asset": "USDT",
    "begunAt": _NOW_MS,
    "browser": True,
    "closing": "1200.50000000",
    "confirmedAt": _NOW_MS,
    "createdAt": _NOW_MS,
    "currentPassword": "correct horse battery",
    "depositId": 41,
    "email": "alice@example.com",
    "ended": 2,
    "endsAt": _NOW_MS + 86_400_000,
    "entryId": 1207,
    "eventId": 310,
    "expiresAt": _NOW_MS + 86_400_000,
    "expiresIn": 86_400,
    "forSession": False,
    "frozenAt": _NOW_MS,
    "ip": "192.0.2.7",
    "ipAllowList": ["192.0.2.0/24"],
    "isCurrent": True,
    "isOn": True,
    "isPaused": False,
    "issuer": "https://issuer.example.com",
    "kind": "HMAC",
    "LedgerEntryShown.kind": "DEPOSIT",
    "label": "my bot",
    "lastAt": _NOW_MS,
    "lastResult": "answered 204",
    "lastUsedAt": _NOW_MS,
    "madeAt": _NOW_MS,
    "mail": True,
    "month": "2026-11",
    "movements": {"DEPOSIT": "1000.00000000", "TRADE": "200.50000000"},
    "newPassword": "a longer horse battery",
    "NoticeMailShown.address": "alice@example.com",
    "opening": "0.00000000",
    "password": "correct horse battery",
    "permissions": ["READ", "TRADE"],
    "publicKey": None,
    "reference": "deposit:41",
    "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "secretKey": "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
    "sessionId": 12,
    "status": "CREDITED",
    "subject": "8f2c1b7e",
    "time": _NOW_MS,
    "token": "u5QfJX2m1c7iB9Yk0pZt3w8RrVdNsHgLxKqEaTvMoWc",
    "topic": "FILLS",
    "totp": "123456",
    "uri": "otpauth://totp/Exchange%3Aalice%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Exchange",
    "url": "https://bot.example.com/notices",
    "usableAt": _NOW_MS + 86_400_000,
    "userId": 1001,
    "webhook": True,
    "withdrawalId": 8,
    "WithdrawalAnswer.status": "SETTLED",
    "WithdrawalShown.status": "RESERVED",
}


def with_examples(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, with an example in each schema of an object that it can be made for."""
    schemas = document["components"]["schemas"]
    told = {
        name: {**schema, "examples": [_of_schema(name, schemas)]} if "properties" in schema else schema
        for name, schema in schemas.items()
        if name not in _FRAMEWORK
    }
    kept = {name: schema for name, schema in schemas.items() if name in _FRAMEWORK}
    return {**document, "components": {**document["components"], "schemas": {**told, **kept}}}


# FastAPI adds these schemas of its own; no answer ever has that form (doors/problems.py).
_FRAMEWORK: Final = ("HTTPValidationError", "ValidationError")


def _of_schema(name: str, schemas: Mapping[str, Any]) -> dict[str, object]:
    schema = schemas[name]
    required = schema.get("required", ())
    is_body = schema.get("additionalProperties") is False
    return {
        field: _of_property(name, field, shape, schemas)
        for field, shape in schema["properties"].items()
        # What a body may leave out is left out: the shortest request that works.
        if field in required or not is_body
    }


def _of_property(owner: str, field: str, shape: Mapping[str, Any], schemas: Mapping[str, Any]) -> object:
    referred = (
        shape if "$ref" in shape else next((one for one in shape.get("anyOf", ()) if "$ref" in one), None)
    )
    if referred is not None:
        return _of_schema(referred["$ref"].rpartition("/")[2], schemas)
    items = shape.get("items", {})
    if "$ref" in items:
        return [_of_schema(items["$ref"].rpartition("/")[2], schemas)]
    if f"{owner}.{field}" in VALUES:
        return VALUES[f"{owner}.{field}"]
    if "const" in shape:
        return shape["const"]
    if "enum" in shape and VALUES.get(field) not in shape["enum"]:
        return shape["enum"][0]
    return VALUES[field]
