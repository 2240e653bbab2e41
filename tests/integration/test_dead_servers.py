"""What a dead server leaves is no obstacle to the next one, and a living server is never disturbed.

Ids of processes are what misleads: of a zombie, of a stranger who has the number now, of a server in another
container, which has none that means anything here.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from local.servers import ServerError, free_port, holding, kafka, places, postgres, valkey

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
# Starts a server beside ours in a world that sees none of our processes; says what became of it.
ELSEWHERE = """
import asyncio, sys
from pathlib import Path
from local.servers import ServerError, free_port, holding, {name}
holding.EXIT_DEADLINE_S = 0.5
try:
    asyncio.run({name}.start(Path(sys.argv[1]), free_port()))
except ServerError as error:
    print("refused:", error)
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that every user can pass through, as a checkout outside /root is."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


async def fetch_value(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def server_user() -> int | None:
    """Whom PostgreSQL runs as: a process of another user never misleads it."""
    return places.unprivileged_uid() if places.is_root() else None


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the server's user that has nothing to do with any server. A zombie once it is killed."""
    process = subprocess.Popen(["sleep", "600"], user=server_user())
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def stopped_postgres(data_dir: Path) -> Path:
    """Make a cluster with a table in it; returns the lock file that a dead server would leave."""
    server = await postgres.start(data_dir, free_port())
    await fetch_value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS id")
    lock_file = data_dir / "postgres" / "cluster" / "postmaster.pid"
    left = lock_file.read_text()
    await server.stop()
    lock_file.write_text(left)
    shutil.chown(lock_file, server_user() or os.getuid())
    return lock_file


def name_in(lock_file: Path, pid: int) -> None:
    lock_file.write_text("\n".join([str(pid), *lock_file.read_text().splitlines()[1:]]) + "\n")


@pytest.mark.parametrize("state", ["zombie", "stranger", "torn", "empty"])
async def test_postgres_starts_although_its_lock_file_names_a(state: str, data_dir: Path) -> None:
    lock_file = await stopped_postgres(data_dir)
    with sleeper() as process:
        if state == "zombie":
            process.kill()
            while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.01)
        name_in(lock_file, process.pid)
        if state in ("torn", "empty"):
            lock_file.write_text("12x" if state == "torn" else "")
        server = await postgres.start(data_dir, free_port())
        try:
            assert await fetch_value(server.dsn, "SELECT id FROM kept") == 42
        finally:
            await server.stop()
        assert (process.poll() is None) == (state != "zombie"), "a stranger was ended"


async def test_a_postgres_that_we_did_not_start_is_left_alone(data_dir: Path) -> None:
    """Somebody runs the cluster by hand: refused with its number, and it goes on."""
    lock_file = await stopped_postgres(data_dir)
    lock_file.unlink()
    first = await postgres.start(data_dir, free_port())
    command_line = psutil.Process(first.process.pid).cmdline()
    await first.stop()
    by_hand = subprocess.Popen(  # noqa: ASYNC220 - it can be waited for here
        command_line, cwd=lock_file.parent, user=server_user(), stderr=subprocess.DEVNULL, env={"LC_ALL": "C"}
    )
    try:
        while not await postgres._ready(first.dsn):
            assert by_hand.poll() is None
            await asyncio.sleep(0.05)
        with pytest.raises(ServerError, match=rf"process {by_hand.pid}\).*kill -INT {by_hand.pid}"):
            await postgres.start(data_dir, free_port())
        assert await fetch_value(first.dsn, "SELECT id FROM kept") == 42
        assert lock_file.read_text().startswith(f"{by_hand.pid}\n")
    finally:
        by_hand.terminate()
        by_hand.wait(20)


def another_world() -> list[str]:
    """The command that makes a world with processes of its own, as a container has it."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-current-user"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a pid namespace")
    return command


@pytest.mark.parametrize("server", [postgres, valkey], ids=lambda module: str(module.NAME))
async def test_a_live_server_in_another_container_is_not_replaced(server: object, data_dir: Path) -> None:
    """Its pid means nothing there, and PostgreSQL itself would take its lock file for a dead one's."""
    assert server in (postgres, valkey)
    module = postgres if server is postgres else valkey
    world = another_world()
    started = await module.start(data_dir, free_port())
    before = (data_dir / "pids" / f"{module.NAME}.json").read_text()
    try:
        second = await asyncio.create_subprocess_exec(
            *(*world, sys.executable, "-c", ELSEWHERE.format(name=module.NAME), str(data_dir)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await asyncio.wait_for(second.communicate(), 60)
        assert f"refused: {data_dir} is in use: its {module.NAME} still runs (out of sight" in told.decode()
        assert started.process.returncode is None
        assert (data_dir / "pids" / f"{module.NAME}.json").read_text() == before
        if isinstance(started, postgres.Server):
            assert await fetch_value(started.dsn, "SELECT 42") == 42
    finally:
        await started.stop()
    again = await module.start(data_dir, free_port())
    await again.stop()


async def test_who_holds_a_folder_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record is lost, so nothing proves that it is ours to end."""
    monkeypatch.setattr(holding, "EXIT_DEADLINE_S", 0.3)
    server = await valkey.start(data_dir, free_port())
    (data_dir / "pids" / "valkey.json").unlink()
    try:
        with pytest.raises(ServerError, match=rf"its valkey still runs \(process {server.process.pid}\)"):
            await valkey.start(data_dir, free_port())
        assert server.process.returncode is None
    finally:
        await server.stop()


async def test_a_slow_exit_is_waited_for(data_dir: Path) -> None:
    """Something that the dead server had forked lives a little longer: the start waits, and works."""
    await stopped_postgres(data_dir)
    lock = holding.hold(holding.lock_file(data_dir, "postgres"), "postgres")
    with subprocess.Popen(["sleep", "1"], pass_fds=(lock,)) as slow:  # noqa: ASYNC220
        os.close(lock)
        server = await postgres.start(data_dir, free_port())
        try:
            assert slow.poll() == 0
        finally:
            await server.stop()


async def leave_half(data_dir: Path, state: str) -> None:
    """What a kill during the first start can leave, and what older versions could."""
    home = data_dir / "postgres"
    pids = data_dir / "pids"
    match state:
        case "initdb at work":
            (home / "cluster.new" / "base").mkdir(parents=True)
            (home / "cluster.new" / "PG_VERSION").write_text("18\n")
            (home / "password.new").write_text("half")
        case "password, no cluster":
            home.mkdir(parents=True)
            (home / "password").write_text("of nothing")
        case "torn records":
            pids.mkdir(parents=True)
            for name in ("postgres", "initdb", "valkey"):
                (pids / f"{name}.json").write_text('{"pid": 1')
                (pids / f"{name}.tmp").write_text("")
        case _:
            assert state == "drafts"
            data_dir.joinpath("postgres.location.new").write_text("/var/tmp/exch")


@pytest.mark.parametrize("state", ["initdb at work", "password, no cluster", "torn records", "drafts"])
async def test_a_first_start_that_was_killed_is_begun_again(state: str, data_dir: Path) -> None:
    await leave_half(data_dir, state)
    database = await postgres.start(data_dir, free_port())
    try:
        assert await fetch_value(database.dsn, "SELECT 42") == 42
    finally:
        await database.stop()
    cache = await valkey.start(data_dir, free_port())
    await cache.stop()


@pytest.mark.parametrize(
    "state", ["an empty id", pytest.param("a log folder without its mark", marks=pytest.mark.thorough)]
)
async def test_a_first_format_of_kafka_that_was_killed_is_begun_again(state: str, data_dir: Path) -> None:
    home = data_dir / "kafka"
    home.mkdir()
    if state == "an empty id":
        (home / "cluster.id").write_text("")
    else:
        (home / "cluster.id").write_text("EAAAAAAAAAAAAAAAAAAAAA")
        (home / "log").mkdir()
        (home / "log" / "bootstrap.checkpoint").write_bytes(b"half")
    server = await kafka.start(data_dir, free_port(), fast_start=True)
    await server.stop()


@pytest.mark.parametrize("text", ["", "relative/path\n"])
def test_a_half_written_place_names_no_other_folder(text: str, tmp_path: Path) -> None:
    (tmp_path / "postgres.location").write_text(text)
    with pytest.raises(ServerError, match="where there is no data"):
        places.home_for(None, tmp_path, "postgres")


@pytest.mark.parametrize("change", ["another major version", "no password"])
async def test_a_cluster_that_cannot_be_used_is_told_in_one_sentence(change: str, data_dir: Path) -> None:
    await stopped_postgres(data_dir)
    if change == "another major version":
        (data_dir / "postgres" / "cluster" / "PG_VERSION").write_text("16\n")
        wanted = r"made by PostgreSQL 16, and this version runs 18"
    else:
        (data_dir / "postgres" / "password").unlink()
        wanted = "password.*is gone"
    with pytest.raises(ServerError, match=wanted) as refused:
        await postgres.start(data_dir, free_port())
    assert "\n" not in str(refused.value)
    assert "DATA_DIR=" in str(refused.value)
