"""What stands in the way of a local exchange is told in one sentence that says what to do (local/)."""

import asyncio
import errno
import fcntl
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import psutil
import pytest

from exchange.ports.world import LogError
from local import disk, folder, operating
from local.disk import full_disk, require_space
from local.folder import DataFolder, Owner
from local.listening import check_port, take_port
from local.operating import door_of
from local.options import LocalOptions, OptionError
from local.servers import ServerError, free_port
from services.operator.asking import short_path

# Taken together: each of many tests starts a process of its own.
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# The largest of what an exchange imports: seconds, on a machine with other things to do.
HEAVY = frozenset({"asyncpg", "cryptography", "fastapi", "httpx", "pydantic_settings", "redis", "uvicorn"})


def local(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m local ...`, which is to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def imported(*arguments: str, **variables: str) -> tuple[str, set[str]]:
    """What `python -m local ...` says on its way out, and which packages it has imported for that."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    names = re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)
    return done.stdout + "\n".join(said), {name.partition(".")[0] for name in names}


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What it said: nothing but one line, and exit code 2."""
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def foreign_port() -> Iterator[int]:
    """A port on which somebody else listens: here, this process."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", value) for value in ("", "abc", "0", "70000", "-1", "8080 ", "٨٠", "9" * 5000)]
    + [
        ("DATA_DIR", ""),
        ("DATA_DIR", "~nobody-of-this-name/x"),
        ("MARKET_MAKER", ""),
        ("MARKET_MAKER", "yes"),
    ]
    + [("HOST", "example.com"), ("HOST", "256.1.1.1"), ("HOST", "::1")]
    + [("ENGINE_BUILD", ""), ("ENGINE_BUILD", "fast")]
    + [("ANOMALY_ACTION", ""), ("ANOMALY_ACTION", "halt"), ("ANOMALY_ACTION", "latency")],
)
def test_a_variable_without_a_sensible_value_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=f"{name}="):
        LocalOptions.from_environment()


def test_an_empty_port_is_not_taken_for_8080(tmp_path: Path) -> None:
    """`make run PORT=`, as it arrives."""
    sentence = one_sentence(local("run", PORT="", DATA_DIR=str(tmp_path / "data")))
    assert sentence == "PORT= is empty: give it a value, or leave it out for PORT=8080"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["HISTORY", "MARKET_MAKER", "BAD_DAYS", "RATE_LIMITS"])
@pytest.mark.parametrize("mode", ["run", "stack"])
def test_a_wrong_option_is_told_before_anything_else(mode: str, name: str, tmp_path: Path) -> None:
    said, packages = imported(mode, **{name: "maybe"}, DATA_DIR=str(tmp_path / "data"))
    assert said == f"{name}=maybe: 0 or 1"
    assert packages & HEAVY == set()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("mode", ["run", "stack"])
def test_a_taken_port_is_told_before_what_takes_long_to_import(
    mode: str, foreign_port: int, tmp_path: Path
) -> None:
    said, packages = imported(mode, PORT=str(foreign_port), DATA_DIR=str(tmp_path))
    assert f"port {foreign_port} of 127.0.0.1 is taken by" in said
    assert packages & HEAVY == set()


def test_an_operator_waits_for_the_exchange_alone(tmp_path: Path) -> None:
    """What knocks at the door of an exchange brings no exchange of its own."""
    door = door_of(tmp_path / "embedded")
    door.parent.mkdir()
    asked: list[bytes] = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(10_000))
            connection.sendall(b'{"is_done": true, "lines": ["BTCUSDT: trading"]}\n')

    with socket.socket(socket.AF_UNIX) as server, short_path(door) as path:
        server.bind(path)
        server.listen()
        server.settimeout(60)
        desk = threading.Thread(target=answer, args=(server,))
        desk.start()
        said, packages = imported("operator", "--", "markets", "list", DATA_DIR=str(tmp_path))
        desk.join()
    assert said == "BTCUSDT: trading\n"
    assert b"ListMarkets" in asked[0]
    assert packages & HEAVY == set()


def test_who_reads_mails_waits_for_no_server(tmp_path: Path) -> None:
    said, packages = imported("mails", DATA_DIR=str(tmp_path))
    assert said == "no mail yet\n"
    assert packages & HEAVY == set()
    nowhere = local("mails", DATA_DIR=str(tmp_path / "no"))
    assert nowhere.returncode == 1
    assert nowhere.stderr.startswith(f"mails: there is no exchange in {tmp_path / 'no'}")


@pytest.mark.parametrize("mode", ["run", "stack"])
def test_a_taken_port_names_who_has_it_and_the_way_out(mode: str, foreign_port: int, tmp_path: Path) -> None:
    sentence = one_sentence(local(mode, PORT=str(foreign_port), DATA_DIR=str(tmp_path)))
    assert f"port {foreign_port} of 127.0.0.1 is taken by" in sentence
    assert f"(process {os.getpid()})" in sentence
    way_out = re.search(rf"make {mode} PORT=(\d+)$", sentence)
    assert way_out is not None, sentence
    check_port("127.0.0.1", int(way_out[1]), "make run")


@pytest.mark.parametrize("take", [check_port, take_port])
def test_a_port_for_root_alone(
    take: Callable[[str, int, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ServerError, match=r"port 80 is for root alone: .* make run PORT=8\d\d\d"):
        take("127.0.0.1", 80, "make run")


@pytest.mark.parametrize("take", [check_port, take_port])
def test_an_address_of_another_machine_is_told_with_those_that_can_be(
    take: Callable[[str, int, str], object],
) -> None:
    with pytest.raises(ServerError, match=r"HOST=192\.0\.2\.1 is no address of this machine: 127\.0\.0\.1 "):
        take("192.0.2.1", free_port(), "make run")


@pytest.mark.parametrize("what", ["a file", "below a file", "unwritable", "read-only"])
def test_a_data_folder_that_cannot_be_used(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    path = file if what == "a file" else file / "x"
    if what in ("unwritable", "read-only"):
        path = tmp_path / "new"
        code = errno.EACCES if what == "unwritable" else errno.EROFS

        def refuse(self: Path, *_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code), str(self))

        # Root may write everywhere.
        monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ServerError, match=rf"^DATA_DIR={re.escape(str(path))} (is no folder|cannot be used)"):
        asyncio.run(DataFolder.take(path, "embedded", "make run", 8080))


def test_a_file_system_without_locks_is_not_taken_for_an_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ServerError, match=r"No locks available.*DATA_DIR= has to be on a local disk"):
        asyncio.run(DataFolder.take(tmp_path, "embedded", "make run", 8080))


def owner_in(path: Path) -> Owner:
    return Owner(**json.loads((path / "lock").read_text()))


@pytest.mark.parametrize("command", ["make run", "make stack", "make rebuild"])
async def test_a_second_start_names_the_first_and_the_way_out(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_KILLED_DEADLINE_S", 0.0)
    first = await DataFolder.take(tmp_path, "embedded", "make run", 8080)
    (first.run / "postgres.pid").write_text("1")
    before = owner_in(tmp_path)
    with pytest.raises(ServerError) as refused:
        await DataFolder.take(tmp_path, "stack", command, 8081)
    sentence = str(refused.value)
    assert f"make run on port 8080 (process {os.getpid()})" in sentence
    assert ("PORT=" in sentence and "DATA_DIR=" in sentence) == (command != "make rebuild")
    assert f"{command}" in sentence
    # The first is not disturbed.
    assert owner_in(tmp_path) == before
    assert (first.run / "postgres.pid").exists()
    first.release()


async def test_a_second_start_waits_for_one_that_stops(tmp_path: Path) -> None:
    first = await DataFolder.take(tmp_path, "embedded", "make run", 8080)
    first.stopping()
    told: list[str] = []
    second = asyncio.create_task(DataFolder.take(tmp_path, "embedded", "make rebuild", on_wait=told.append))
    while not told:
        await asyncio.sleep(0.01)
    assert "make run on port 8080" in told[0]
    assert not second.done()
    first.release()
    taken = await second
    assert owner_in(tmp_path).command == "make rebuild"
    taken.release()


async def test_a_dying_owner_is_waited_for(tmp_path: Path) -> None:
    """Its number is nobody's any more, and its lock not yet free."""
    first = await DataFolder.take(tmp_path, "embedded", "make run", 8080)
    dead = Owner(psutil.Process().pid, 0.0, "make run", 8080, stopping=False)
    assert not dead.is_seen()
    first._tell(dead)
    second = asyncio.create_task(DataFolder.take(tmp_path, "embedded", "make run", 8080))
    await asyncio.sleep(0.2)
    assert not second.done()
    first.release()
    (await second).release()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ServerError("initdb failed with code 1:\nFATAL: could not write: No space left on device"),
        ExceptionGroup("all", [ExceptionGroup("some", [LogError("[Errno 28] No space left on device")])]),
    ],
)
def test_a_full_disk_is_one_sentence(error: Exception, tmp_path: Path) -> None:
    sentence = full_disk(error, tmp_path)
    assert sentence is not None
    assert sentence.startswith("the disk is full")
    assert str(tmp_path) in sentence
    assert "\n" not in sentence
    caused = RuntimeError("a part stopped")
    caused.__cause__ = error
    assert full_disk(caused, tmp_path) == sentence


def test_other_faults_are_none_of_the_disk(tmp_path: Path) -> None:
    assert full_disk(RuntimeError("a bug"), tmp_path) is None
    assert full_disk(OSError(errno.EACCES, "Permission denied"), tmp_path) is None


def test_a_disk_that_is_nearly_full_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_free_mb", lambda _: 100.0)
    with pytest.raises(ServerError, match=r"100 MB are free .* 150 MB are needed. Free 50 MB there"):
        require_space(tmp_path, "embedded")
    (tmp_path / "pids").mkdir()
    require_space(tmp_path, "embedded")


async def test_a_refused_start_leaves_the_folder_of_the_other_as_it_is(tmp_path: Path) -> None:
    first = await DataFolder.take(tmp_path, "stack", "make stack", 8080)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    done = await asyncio.to_thread(local, "run", PORT=str(free_port()), DATA_DIR=str(tmp_path))
    assert "belongs to an exchange that is running: make stack on port 8080" in one_sentence(done)
    # A folder of the other mode would have `make rebuild` ask which of the two is meant.
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    first.release()


class FullFile(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO())

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("kind", [operating._LogFile, RotatingFileHandler])
def test_the_log_of_a_run_on_a_full_disk_fills_no_screen(
    kind: type[RotatingFileHandler], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = kind(tmp_path / "log", delay=True)
    handler.stream = FullFile()
    handler.handle(logging.LogRecord("local", logging.WARNING, __file__, 1, "a line", None, None))
    assert ("Traceback" in capsys.readouterr().err) == (kind is RotatingFileHandler)
