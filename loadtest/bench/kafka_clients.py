"""aiokafka beside confluent-kafka on the way of a command: cost, latency, and what each says of lost brokers.

`python -m loadtest.bench.kafka_clients` (ADR 0044), with `pip install confluent-kafka`, which the exchange
does not need. A broker of its own; a writer and a reader, each a process of its own, so that their processor
time can be told apart. The writer appends a record, waits for the acknowledgement, and appends the next one
when its time has come, as the engine does; idempotent, acks=all, nothing gathered.
"""

import argparse
import asyncio
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import KafkaLog
from exchange.adapters.kafka.topics import ensure_topics
from exchange.log.records import records_between
from exchange.ports.world import LogError
from local.servers import free_port, kafka

CLIENTS: Final = ("aiokafka", "confluent-kafka")
FAULTS: Final = ("none", "paused 3 s", "killed, back after 3 s", "killed, away for good")
FAULT_AFTER_S: Final = 4.0
AWAY_S: Final = 3.0
DEADLINE_MS: Final = 15_000
AWAY_DEADLINE_MS: Final = 5_000
SIZE_BYTES: Final = 300
POLL_S: Final = 0.1
BROKER_DEADLINE_S: Final = 300.0
console: Final = Console(width=150)


def main() -> None:
    """Measure both clients, each fault in turns."""
    parser = argparse.ArgumentParser(prog="loadtest.bench.kafka_clients", description=__doc__)
    parser.add_argument("--rate", type=float, default=220.0, help="records a second")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--bootstrap", help=argparse.SUPPRESS)
    parser.add_argument("--topic", help=argparse.SUPPRESS)
    parser.add_argument("--deadline-ms", type=int, default=DEADLINE_MS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        role = _write if options.role == "writer" else _read
        print(json.dumps(asyncio.run(role(options))))
        return
    found = asyncio.run(_measure(options))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


async def _measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="kafka-clients-") as folder:
        broker = _Broker(Path(folder))
        await broker.start()
        for turn in range(options.turns):
            for fault in FAULTS:
                for client in CLIENTS if turn % 2 == 0 else reversed(CLIENTS):
                    topic = f"commands-{len(found)}"
                    row = {
                        "fault": fault,
                        "client": client,
                        **await _one(options, broker, topic, client, fault),
                    }
                    console.print(json.dumps(row), highlight=False)
                    found.append(row)
        await broker.stop()
    return found


class _Broker:
    """One broker, that is paused, killed and started again. Raises ServerError."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._server: kafka.Server | None = None

    async def start(self) -> None:
        self._server = await kafka.start(self._folder, self._port, deadline_s=BROKER_DEADLINE_S)

    def signal(self, number: signal.Signals) -> None:
        assert self._server is not None, "started"
        os.kill(self._server.process.pid, number)

    async def stop(self) -> None:
        assert self._server is not None, "started"
        await self._server.stop()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"


async def _one(
    options: argparse.Namespace, broker: _Broker, topic: str, client: str, fault: str
) -> dict[str, Any]:
    """One client through one fault. Raises ServerError, LogError."""
    cluster = KafkaCluster(broker.bootstrap_servers, DEADLINE_MS)
    await ensure_topics(cluster, [topic], replicas=1)
    deadline_ms = AWAY_DEADLINE_MS if fault == FAULTS[3] else DEADLINE_MS
    arguments = ["--client", client, "--bootstrap", broker.bootstrap_servers, "--topic", topic]
    arguments += ["--rate", str(options.rate), "--seconds", str(options.seconds)]
    arguments += ["--deadline-ms", str(deadline_ms)]
    reader, writer = (_child(role, arguments) for role in ("reader", "writer"))
    await asyncio.sleep(FAULT_AFTER_S)
    if fault == FAULTS[1]:
        broker.signal(signal.SIGSTOP)
        await asyncio.sleep(AWAY_S)
        broker.signal(signal.SIGCONT)
    elif fault in FAULTS[2:]:
        broker.signal(signal.SIGKILL)
        await asyncio.sleep(AWAY_S)
        if fault == FAULTS[2]:
            await broker.start()
    written, read = await asyncio.gather(_said(writer), _said(reader))
    if fault == FAULTS[3]:
        await broker.start()
    on_log = await _numbers_on(KafkaLog(cluster, topic))
    acknowledged = written.pop("acknowledged")
    return {
        **{f"writer {name}": value for name, value in written.items()},
        **{f"reader {name}": value for name, value in read.items()},
        "acknowledged": acknowledged,
        "lost": len(set(range(acknowledged)) - set(on_log)),
        "twice": len(on_log) - len(set(on_log)),
        "in order": on_log == sorted(on_log),
        "behind the last acknowledged": max(0, len(set(on_log)) - acknowledged),
    }


def _child(role: str, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "loadtest.bench.kafka_clients", "--role", role, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


async def _said(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    output, _ = await asyncio.to_thread(process.communicate, timeout=120.0)
    said: dict[str, Any] = json.loads(output.splitlines()[-1])
    return said


async def _numbers_on(log: KafkaLog) -> list[int]:
    return [int(record.value[:12]) async for record in records_between(log, 0, await log.end_offset())]


# -- the two roles


async def _write(options: argparse.Namespace) -> dict[str, Any]:
    """Append at the rate until the time is over or an append fails, as the engine's process would end."""
    append, close = await (_aiokafka_writer if options.client == "aiokafka" else _confluent_writer)(options)
    pause_s, acknowledged, took_ms, failure = 1 / options.rate, 0, [], ""
    failed_after_s = 0.0
    began_s, cpu_s = time.monotonic(), _cpu_s()
    while (now_s := time.monotonic()) - began_s < options.seconds:
        value = b"%012d %020d" % (acknowledged, time.monotonic_ns())
        try:
            await append(value.ljust(SIZE_BYTES, b"x"))
        except LogError as error:
            failed_after_s, failure = time.monotonic() - now_s, str(error)[:80]
            break
        acknowledged += 1
        took_ms.append((time.monotonic() - now_s) * 1e3)
        await asyncio.sleep(max(0.0, began_s + acknowledged * pause_s - time.monotonic()))
        if time.monotonic() - began_s > acknowledged * pause_s + 0.5:
            began_s = time.monotonic() - acknowledged * pause_s
    used_s, passed_s = _cpu_s() - cpu_s, time.monotonic() - began_s
    close()
    took_ms.sort()
    return {
        "us a record": round(used_s / max(1, acknowledged) * 1e6),
        "% of a core": round(used_s / passed_s * 100, 1),
        "p50 ms": round(took_ms[len(took_ms) // 2], 2),
        "p99 ms": round(took_ms[len(took_ms) * 99 // 100], 2),
        "longest s": round(took_ms[-1] / 1e3, 2),
        "failed after s": round(failed_after_s, 2),
        "failure": failure,
        "acknowledged": acknowledged,
    }


async def _read(options: argparse.Namespace) -> dict[str, Any]:
    """Read for as long, and two seconds more."""
    read, close = await (_aiokafka_reader if options.client == "aiokafka" else _confluent_reader)(options)
    ages_ms: list[float] = []
    failure = ""
    began_s, cpu_s = time.monotonic(), _cpu_s()
    while time.monotonic() - began_s < options.seconds + 2.0:
        try:
            values = await read()
        except LogError as error:
            failure = str(error)[:80]
            break
        now_ns = time.monotonic_ns()
        ages_ms += [(now_ns - int(value[13:33])) / 1e6 for value in values]
    used_s, passed_s = _cpu_s() - cpu_s, time.monotonic() - began_s
    close()
    ages_ms.sort()
    count = len(ages_ms)
    return {
        "records": count,
        "us a record": round(used_s / max(1, count) * 1e6),
        "% of a core": round(used_s / passed_s * 100, 1),
        "p50 ms": round(ages_ms[count // 2], 2) if count else 0,
        "p99 ms": round(ages_ms[count * 99 // 100], 2) if count else 0,
        "failure": failure,
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _aiokafka_writer(options: argparse.Namespace) -> tuple[Callable[[bytes], Any], Callable[[], None]]:
    log = KafkaLog(KafkaCluster(options.bootstrap, options.deadline_ms), options.topic)
    writer = await log.writer()
    return writer.append, lambda: None


async def _aiokafka_reader(options: argparse.Namespace) -> tuple[Callable[[], Any], Callable[[], None]]:
    log = KafkaLog(KafkaCluster(options.bootstrap, options.deadline_ms), options.topic)
    reader = await log.reader(0)

    async def read() -> list[bytes]:
        return [record.value for record in await reader.read(1_000)]

    return read, lambda: None


async def _confluent_writer(options: argparse.Namespace) -> tuple[Callable[[bytes], Any], Callable[[], None]]:
    library: Any = importlib.import_module("confluent_kafka")
    loop = asyncio.get_running_loop()
    producer = library.Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 0,
            "message.timeout.ms": options.deadline_ms,
            "log_level": 0,
        }
    )
    is_open = threading.Event()
    is_open.set()

    def poll() -> None:
        while is_open.is_set():
            producer.poll(POLL_S)

    polling = threading.Thread(target=poll, daemon=True)
    polling.start()

    async def append(value: bytes) -> None:
        taken: asyncio.Future[None] = loop.create_future()

        def end(error: Any) -> None:
            if error is None:
                taken.set_result(None)
            else:
                taken.set_exception(LogError(str(error)))

        producer.produce(
            options.topic,
            value,
            partition=0,
            on_delivery=lambda error, _: loop.call_soon_threadsafe(end, error),
        )
        await taken

    return append, is_open.clear


async def _confluent_reader(options: argparse.Namespace) -> tuple[Callable[[], Any], Callable[[], None]]:
    library: Any = importlib.import_module("confluent_kafka")
    loop = asyncio.get_running_loop()
    consumer = library.Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": "none",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1,
            "fetch.wait.max.ms": 500,
            "log_level": 0,
        }
    )
    consumer.assign([library.TopicPartition(options.topic, 0, 0)])
    came: asyncio.Queue[list[bytes] | LogError] = asyncio.Queue(maxsize=1_000)
    is_open = threading.Event()
    is_open.set()

    def poll() -> None:
        while is_open.is_set():
            first = consumer.poll(POLL_S)
            if first is None:
                continue
            messages = [first, *consumer.consume(num_messages=500, timeout=0)]
            problem = next((m.error() for m in messages if m.error() is not None), None)
            values = [m.value() for m in messages if m.error() is None]
            if problem is not None and problem.fatal():
                loop.call_soon_threadsafe(came.put_nowait, LogError(str(problem)))
            elif values:
                loop.call_soon_threadsafe(came.put_nowait, values)

    polling = threading.Thread(target=poll, daemon=True)
    polling.start()

    async def read() -> list[bytes]:
        try:
            async with asyncio.timeout(1.0):
                got = await came.get()
        except TimeoutError:
            return []
        if isinstance(got, LogError):
            raise got
        return got

    return read, is_open.clear


if __name__ == "__main__":
    main()
