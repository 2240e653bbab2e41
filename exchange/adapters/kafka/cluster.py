"""The brokers: where they are, how a client proves who it is, and how it opens and closes.

aiokafka waits for ever where a broker is silent, and leaves sockets open when it is interrupted. So each
piece of a client's opening and closing runs as a task of its own, up to a deadline.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Final, Self, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from exchange.contracts.limits import FETCH_SIZE_BYTES_MAX, TOPIC_MESSAGE_SIZE_BYTES_MAX
from exchange.ports.world import LogError, LogTimeoutError
from exchange.process.config import Settings, SettingsError

__all__ = ["KafkaCluster", "stop"]

Client: TypeAlias = AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient

_STOP_DEADLINE_S: Final = 3.0
_ASK_EVERY_S: Final = 0.05
# How long the broker keeps an answer back while there is nothing to tell.
_FETCH_WAIT_MS: Final = 500
# So much does not wait for more.
_GATHERED_SIZE_BYTES: Final = 262_144
_T = TypeVar("_T")


class KafkaCluster:
    """Opens clients of one cluster. `bootstrap_servers`: host:port,host:port.

    `access` holds aiokafka's options of transport and login; without it everything is in the clear. `login`
    tells user and password as they are when a connection is made.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        deadline_ms: int,
        access: Mapping[str, Any] | None = None,
        login: Callable[[], tuple[str, str]] | None = None,
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._access = dict(access or {})
        self._login = login
        self.deadline_ms = deadline_ms

    @classmethod
    def from_settings(cls, settings: Settings, deadline_ms: int | None = None) -> Self:
        """The cluster of EXCHANGE_KAFKA_*. Raises SettingsError on settings that contradict each other."""
        access = _access(settings)
        login = (lambda: _login(settings)) if "sasl_plain_username" in access else None
        return cls(settings.kafka_bootstrap, deadline_ms or settings.log_deadline_ms, access, login)

    async def producer(self, *, linger_ms: int) -> AIOKafkaProducer:
        """Open an idempotent producer with acks=all. Raises LogError."""
        producer = AIOKafkaProducer(
            **self._options(),
            acks="all",
            enable_idempotence=True,
            linger_ms=linger_ms,
            max_request_size=TOPIC_MESSAGE_SIZE_BYTES_MAX,
        )
        await self.answer(producer, self._start(producer))
        return producer

    async def consumer(self, partition: TopicPartition, gather_ms: int = 0) -> AIOKafkaConsumer:
        """Open a consumer of one partition that belongs to no group. Raises LogError.

        `gather_ms`: how long the broker may keep each answer back, for more to come.
        """
        consumer = AIOKafkaConsumer(
            **self._options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            max_partition_fetch_bytes=FETCH_SIZE_BYTES_MAX,
            fetch_min_bytes=_GATHERED_SIZE_BYTES if gather_ms else 1,
            fetch_max_wait_ms=gather_ms or _FETCH_WAIT_MS,
        )
        await self.answer(consumer, self._start(consumer))
        consumer.assign([partition])
        return consumer

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An administrator's client for one piece of work, all of it within the deadline. Raises LogError."""
        admin = AIOKafkaAdminClient(**self._options())
        await self.answer(admin, self._start(admin))
        try:
            async with asyncio.timeout(self.deadline_ms / 1000):
                yield admin
        except (TimeoutError, KafkaError, OSError) as error:
            raise LogError(f"topics cannot be changed: {error!r}") from error
        finally:
            await stop(admin)

    async def answer(self, client: Client, question: Coroutine[Any, Any, _T]) -> _T:
        """What the broker says within the deadline. Whatever goes wrong, the client is stopped then.

        Raises LogError.
        """
        try:
            task = await _carried_out(question, self.deadline_ms / 1000)
            if task is None:
                refused = (
                    ", or does not take the token" if "sasl_oauth_token_provider" in self._access else ""
                )
                raise LogTimeoutError(f"Kafka at {self._bootstrap_servers} does not answer{refused}")
            return task.result()
        except BaseException as error:
            await stop(client)
            if isinstance(error, (TimeoutError, KafkaError, OSError)):
                raise LogError(f"Kafka at {self._bootstrap_servers}: {error!r}") from error
            raise

    def _options(self) -> dict[str, Any]:
        options = {
            "bootstrap_servers": self._bootstrap_servers,
            "request_timeout_ms": self.deadline_ms,
            **self._access,
        }
        if self._login is not None:
            options["sasl_plain_username"], options["sasl_plain_password"] = self._login()
        return options

    async def _start(self, client: Client) -> None:
        """Raises LogError too when the broker has refused a token: aiokafka 0.14 takes it for a yes."""
        connections = _connections_of(client)
        _pace(connections)
        if self._login is not None:
            _log_in_anew(connections, self._login)
        await client.start()
        if not connections.cluster.brokers():
            raise LogError("Kafka tells of no broker: it does not take the token")


def _login(settings: Settings) -> tuple[str, str]:
    return settings.login("kafka_username"), settings.login("kafka_password")


def _access(settings: Settings) -> dict[str, Any]:
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    username, password = _login(settings)
    if (protocol == "SASL_SSL") != bool(mechanism):
        raise SettingsError("EXCHANGE_KAFKA_SASL_MECHANISM goes with the security protocol SASL_SSL")
    if (mechanism == "SCRAM-SHA-512") != bool(username and password):
        raise SettingsError("EXCHANGE_KAFKA_USERNAME and EXCHANGE_KAFKA_PASSWORD go with SCRAM-SHA-512")
    if protocol == "PLAINTEXT":
        return {}
    authorities = settings.kafka_ca_file
    try:
        context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"EXCHANGE_KAFKA_CA_FILE: {error}") from error
    access: dict[str, Any] = {"security_protocol": protocol, "ssl_context": context}
    if mechanism == "SCRAM-SHA-512":
        access |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": username,
            "sasl_plain_password": password,
        }
    elif mechanism == "AWS_MSK_IAM":
        # boto3 takes a third of a second to import, and a process that starts again is waited for.
        from exchange.adapters.aws.msk_token import MskTokenProvider

        # MSK takes its signed tokens by the mechanism that exists for tokens.
        access |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": MskTokenProvider()}
    return access


def _connections_of(client: Client) -> AIOKafkaClient:
    return client.client if isinstance(client, AIOKafkaProducer) else client._client


def _pace(connections: AIOKafkaClient) -> None:
    """Ask for the brokers and leaders only so many times a second.

    aiokafka 0.14 asks again at once: a producer with something to send, and no leader to send it to, asks
    some thousand times a second, and takes the processor that the broker needs to start again.
    """
    ask = connections._metadata_update
    loop = asyncio.get_running_loop()
    next_s = loop.time()

    async def ask_in_time(*arguments: Any) -> bool:
        nonlocal next_s
        await asyncio.sleep(next_s - loop.time())
        next_s = loop.time() + _ASK_EVERY_S
        answered: bool = await ask(*arguments)
        return answered

    connections._metadata_update = ask_in_time


def _log_in_anew(connections: AIOKafkaClient, login: Callable[[], tuple[str, str]]) -> None:
    """Make each connection with the login of that moment: aiokafka 0.14 keeps the one of the start."""
    connect = connections._get_conn

    async def with_the_login_of_now(*arguments: Any, **options: Any) -> Any:
        connections._sasl_plain_username, connections._sasl_plain_password = login()
        return await connect(*arguments, **options)

    connections._get_conn = with_the_login_of_now


async def stop(client: Client) -> None:
    """Stop a client that may hang while stopping, or end with the cancellation of a task of its own.

    The latter is what a consumer of aiokafka 0.14 does whose last fetch has failed, before it closes its
    connections. It must not pass for a cancellation of ours, which would end the process without a word.
    A producer hangs that has something to send and nobody to send it to.
    """
    stopping = client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop()
    if await _ended_by_itself(stopping):
        return
    if isinstance(client, AIOKafkaProducer):
        await _ended_by_itself(client._sender.close())
    await _ended_by_itself(_connections_of(client).close())


async def _ended_by_itself(stopping: Coroutine[Any, Any, None]) -> bool:
    """False when it was cancelled or did not end in time. Its Kafka and network errors mean nothing now."""
    task = await _carried_out(stopping, _STOP_DEADLINE_S)
    if task is None:
        return False
    error = task.exception()
    if error is not None and not isinstance(error, (KafkaError, OSError)):
        raise error
    return True


async def _carried_out(work: Coroutine[Any, Any, _T], deadline_s: float) -> asyncio.Task[_T] | None:
    """The work as a task of its own, done; None when it was cancelled, which it is when the time is up.

    A cancellation of ours waits for it a while.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait([task], timeout=deadline_s)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_STOP_DEADLINE_S)
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_STOP_DEADLINE_S)
        if task.done() and not task.cancelled():
            task.exception()  # seen, so that nobody misses it
    return task if task.done() and not task.cancelled() else None
