"""Logins change and roles are proved by tokens: who connects past the adapters knows nothing of either."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from pydantic import SecretStr

from exchange.adapters.aws import rds_token
from exchange.adapters.postgres import pool
from exchange.process.config import Settings

ROOT: Final = Path(__file__).resolve().parents[3]
# What is deployed. The local exchange, load tests and the bench make servers of their own, with their logins.
DEPLOYED: Final = ("exchange", "matching_engine", "services")
# What makes a client of a kind of server -> the only folder that may mention it; a class, that may call it.
MAKERS: Final = {
    "asyncpg.connect": "exchange/adapters/postgres",
    "asyncpg.create_pool": "exchange/adapters/postgres",
    "Redis": "exchange/adapters/redis",
    "Redis.from_pool": "exchange/adapters/redis",
    "Redis.from_url": "exchange/adapters/redis",
    "RedisCluster": "exchange/adapters/redis",
    "RedisCluster.from_url": "exchange/adapters/redis",
    "BlockingConnectionPool.from_url": "exchange/adapters/redis",
    "AIOKafkaProducer": "exchange/adapters/kafka",
    "AIOKafkaConsumer": "exchange/adapters/kafka",
    "AIOKafkaAdminClient": "exchange/adapters/kafka",
    "boto3.client": "exchange/adapters/aws",
    "boto3.Session": "exchange/adapters/aws",
}


def _makers(source: str) -> Iterator[str]:
    if not any(maker.partition(".")[0] in source for maker in MAKERS):
        return
    for node in ast.walk(ast.parse(source)):
        # A class is a type too: only its calls make anything.
        name = (
            ast.unparse(node.func if isinstance(node, ast.Call) else node)
            if isinstance(node, ast.Call | ast.Attribute)
            else ""
        )
        yield from (maker for maker in MAKERS if name == maker or name.endswith(f".{maker}"))


def test_only_the_adapters_connect_to_a_server() -> None:
    found: dict[str, set[str]] = {}
    for room in DEPLOYED:
        for path in sorted((ROOT / room).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            for maker in _makers(path.read_text("utf-8")):
                found.setdefault(maker, set()).add(place)
    strangers = {
        f"{place}: {maker}"
        for maker, places in found.items()
        for place in places
        if not place.startswith(f"{MAKERS[maker]}/")
    }
    assert strangers == set()
    assert {folder for maker in found for folder in [MAKERS[maker]]} == set(MAKERS.values()), "found at all"


@pytest.mark.parametrize("writes", [True, False])
async def test_a_command_s_connection_has_a_token_and_the_login_of_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writes: bool
) -> None:
    told: list[dict[str, object]] = []

    async def connect(dsn: str, **options: object) -> None:
        told.append({"dsn": dsn, **options})

    async def drawn(dsn: str) -> str:
        return f"token for {dsn}"

    monkeypatch.setattr(asyncpg, "connect", connect)
    monkeypatch.setattr(rds_token, "rds_token", drawn)
    settings = Settings(
        database_dsn=SecretStr("postgresql://of-the-start/"), database_tokens=True, logins_dir=tmp_path
    )
    (tmp_path / "database_dsn").write_text("postgresql://of-now/", encoding="utf-8")
    await pool.open_connection(settings, statement_deadline_s=7.0, writes=writes)
    [asked] = told
    assert (asked["dsn"], asked["password"]) == ("postgresql://of-now/", "token for postgresql://of-now/")
    assert asked["command_timeout"] == 7.0
    assert asked["target_session_attrs"] == ("read-write" if writes else "any")
