"""Every line that a process writes with EXCHANGE_LOG_FORMAT=json is one object of one schema."""

import asyncio
import json
import logging
import os
import re
import signal
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from exchange.process.log_lines import formatter, process_name
from local.servers import free_port

pytestmark = pytest.mark.integration

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SECRET = "hunter22"


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """The schema: what an index of the logs may count on."""

    time: str
    level: str
    process: str
    shard: int
    logger: str
    message: str
    exception: str | None = None


def parsed(text: str) -> list[Line]:
    """The lines; fails at one that is no object of the schema."""
    lines = [msgspec.json.decode(line, type=Line, strict=True) for line in text.splitlines()]
    assert all(TIME.fullmatch(line.time) for line in lines)
    assert {line.level for line in lines} <= {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
    return lines


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
    nobody = f"127.0.0.1:{free_port()}"
    own = {
        "LOG_FORMAT": "json",
        "SHARD": "7",
        "DATA_DIR": str(folder),
        "KAFKA_BOOTSTRAP": nobody,
        "DATABASE_DSN": f"postgresql://exchange:{SECRET}@{nobody}/exchange",
        "CACHE_URL": f"redis://:{SECRET}@{nobody}/0",
    }
    return inherited | {f"EXCHANGE_{name}": value for name, value in (own | settings).items()}


async def test_a_process_that_cannot_start_says_why_in_lines_of_the_schema(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.projections.main", "ledger"),
        env=environment(tmp_path, DATABASE_DEADLINE_MS="2000"),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert SECRET not in errors.decode()
    settings, *_, last = lines = parsed(errors.decode())
    assert settings.message.startswith("settings {")
    assert {(line.process, line.shard) for line in lines} == {("projections-ledger", 7)}
    assert last.level == "CRITICAL"
    assert last.logger == "exchange.process.frame"
    assert last.exception is not None
    assert last.exception.startswith("Traceback")


async def test_a_process_that_lives_without_its_log_writes_lines_of_the_schema(
    database_dsn: str, valkey_url: str, tmp_path: Path
) -> None:
    # A broker that takes connections and says nothing: one that refuses them ends the process at once.
    kept: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: kept.append(writer), "127.0.0.1", 0)
    broker = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    port = free_port()
    own = environment(
        tmp_path, PORT=str(port), DATABASE_DSN=database_dsn, CACHE_URL=valkey_url, KAFKA_BOOTSTRAP=broker
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.user.main"), env=own, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            await _until_alive(client, process)
            assert (await client.get("/v1/me")).status_code == 401
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 60)
    finally:
        silent.close()
        for writer in kept:
            writer.close()
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = parsed(errors.decode())
    assert {(line.process, line.shard) for line in lines} == {("user", 7)}


async def _until_alive(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    for _ in range(300):
        assert process.returncode is None
        try:
            if (await client.get("/healthz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("the process does not answer")


def test_any_text_fits_into_one_line() -> None:
    makes = formatter("json", 0)
    for message in (
        '"\\\n\r\t\0',
        "\N{LINE SEPARATOR}\x85",
        "é\N{GRINNING FACE}",
        "\udcff",
        "%s",
        "x" * 10**6,
    ):
        record = logging.LogRecord("a.b", logging.INFO, __file__, 1, message, None, None)
        record.__dict__["password"] = SECRET
        text = makes.format(record)
        assert len(text.splitlines()) == 1
        shown = json.loads(text)["message"]
        assert message.startswith(shown)
        assert len(shown) == len(message) or len(shown) > 30_000
        assert SECRET not in text


@pytest.mark.parametrize(
    ("module", "arguments", "name"),
    [
        ("services.order.main", [], "order"),
        ("services.market_data.main", [], "market-data"),
        ("services.projections.main", ["ledger"], "projections-ledger"),
        ("services.projections.__main__", ["all"], "projections-all"),
        ("matching_engine.main", [], "engine"),
        ("", ["--flag", "/a/path"], "exchange"),
    ],
)
def test_a_process_is_called_as_in_the_charts(module: str, arguments: list[str], name: str) -> None:
    assert process_name(module, arguments) == name
