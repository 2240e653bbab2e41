"""Settings: read once in a main module from `EXCHANGE_*` variables, frozen, unknown ones refused."""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from exchange.contracts import limits
from exchange.contracts.anomaly_kinds import ALERT, kinds_that_act
from exchange.process.log_lines import LogFormat

__all__ = ["LOGINS", "Settings", "SettingsError"]


# What opens the servers that keep our data, and is changed there from time to time (ADR 0032).
LOGINS: Final = ("database_dsn", "database_reader_dsn", "cache_url", "kafka_username", "kafka_password")


class SettingsError(Exception):
    """The environment holds a setting that nobody knows, or a value that is none."""


def _networks(value: object) -> object:
    """Addresses and networks from a text, separated by commas."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def _anomaly_action(value: str) -> str:
    """The text as it is, if it names an action. Raises ValueError."""
    kinds_that_act(value)
    return value


class Settings(BaseSettings):
    """Every knob of every process. Times in milliseconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="EXCHANGE_", frozen=True, extra="forbid")

    shard: int = 0
    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: Path = Path(".data")
    log_level: str = "INFO"
    # Lines for people, or JSON objects for machines (exchange/process/log_lines.py).
    log_format: LogFormat = "text"

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    # With SASL_SSL: a user and a password, or the IAM role of the process (MSK).
    kafka_sasl_mechanism: Literal["", "SCRAM-SHA-512", "AWS_MSK_IAM"] = ""
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    # Authorities, PEM, that the brokers' certificates are checked against; the system's own without it.
    kafka_ca_file: Path | None = None
    # Copies of each log that services.topics asks for: as many as there are brokers, three at most.
    topic_replicas: int = 1
    database_dsn: SecretStr = SecretStr("postgresql://exchange@127.0.0.1:5432/exchange")
    # A reader beside it (Aurora's reader endpoint), for history that may be a moment old; "" for the writer.
    database_reader_dsn: SecretStr = SecretStr("")
    # The password of both is a token for the IAM role of this process (Aurora), made for each connection.
    database_tokens: bool = False
    # The migrations also make a user of the database for each service, with its rights (ADR 0041).
    database_rights: bool = False
    # redis:// or, for TLS, rediss://. Of a cluster, any of its nodes, or the address that stands for all.
    cache_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    cache_cluster: bool = False
    # A folder with a file for each login that may change while a process runs (LOGINS), named as it is here.
    # A file goes before its login's variable, and is read anew for each connection. None: variables alone.
    logins_dir: Path | None = None
    market_data_url: str = "http://127.0.0.1:8080"
    # Addresses or networks, separated by commas, whose X-Forwarded-For is believed; "*" for all.
    trusted_proxies: str = ""
    # Answer operators (/v1/admin, /operator/) also where a gateway brings them: on one machine alone.
    # Elsewhere they come to the process itself (`kubectl port-forward`), and no public edge leads there.
    admin_by_gateway: bool = False
    # name=url,... of all services, for the one port's /readyz.
    peer_urls: str = ""

    command_tick_ms: int = 2
    command_deadline_ms: int = 10_000
    commands_waiting_max: int = limits.COMMANDS_WAITING_MAX
    # An order that would wait longer for its decision is refused with -1008; a cancel after four times this.
    command_wait_max_ms: int = 1_000
    log_deadline_ms: int = 8_000
    database_deadline_ms: int = 5_000
    cache_deadline_ms: int = 2_000
    database_pool_size: int = 8
    body_size_bytes_max: int = limits.BODY_SIZE_BYTES_MAX
    request_deadline_ms: int = 15_000

    # The file with the key that wraps the data keys; made on first use. Not used when kms_key_id is set.
    secret_key_file: Path = Path(".data/secret.key")
    # Id, alias or ARN of a symmetric key in AWS KMS; region and credentials come from AWS's own variables.
    kms_key_id: str = ""
    kms_deadline_ms: int = 5_000
    session_lifetime_s: int = 86_400
    # Issuers whose tokens are believed beside our own sessions, as https://issuer or https://issuer=https://keys,
    # separated by commas; and the clients (audiences) that they are made for.
    identity_issuers: str = ""
    identity_audience: str = ""
    # An issuer's word for an e-mail address also opens an account that was made here for it with a password.
    # Nobody checks addresses at our own sign-up, so a stranger may know that password: see ADR 0015.
    identity_link_by_email: bool = False
    faucet: bool = False
    rate_limits: bool = True
    # Refuse what goes beyond the published limits on request weight and orders; else they are only counted.
    request_limits: bool = True
    # Whose request weight is not counted, addresses or networks separated by commas: other parts of the
    # exchange, which ask on behalf of those who are counted.
    request_limits_exempt: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_networks)
    ] = ()
    # Strict-Transport-Security on every answer: only where clients come by TLS and by nothing else.
    hsts: bool = False
    # Withdrawals go only to addresses that their owner listed at least so long ago.
    withdrawal_allow_list: bool = True
    withdrawal_address_delay_s: int = 86_400
    # A freeze that its owner ended holds so much longer: whoever ended it in his name has to wait too.
    withdrawal_unfreeze_delay_s: int = 86_400
    # Per user and asset within 24 hours. Amounts in whole units; "*" is every asset that has no entry,
    # and without it such an asset cannot be withdrawn.
    withdrawal_daily_count_max: int = 20
    withdrawal_daily_amounts_max: str = "BTC=10,ETH=200,BNB=2000,*=500000"
    # No withdrawals unless the auditor has said lately that all is well; never while it says otherwise.
    auditor_required: bool = True
    # What an anomaly does: "alert" tells alone; "cancel_only" also turns its market to cancel-only, as an
    # operator would; or so for some kinds: price_jump, order_rate, cancel_ratio, by commas (ADR 0057).
    anomaly_action: Annotated[str, AfterValidator(_anomaly_action)] = ALERT
    # What is always an anomaly, whatever was learned: of one market within 10 s, then of its price in
    # hundredths of a percent within 60 s, of one account within 10 s, and the average way from the log.
    anomaly_orders_max: int = Field(default=20_000, ge=1)
    anomaly_cancels_permille_max: int = Field(default=3_000, ge=1)
    anomaly_jump_bips_max: int = Field(default=1_000, ge=1)
    anomaly_account_commands_max: int = Field(default=1_000, ge=1)
    anomaly_latency_ms_max: int = Field(default=5_000, ge=1)
    # auto, compiled or interpreted (matching_engine/build.py).
    engine_build: str = "auto"
    snapshot_every_commands: int = 100_000
    # "" for an engine that is the only one, "file:<path>" for several on one machine,
    # "kubernetes:<namespace>/<name>" for pods.
    lease: str = ""
    # Ed25519, PEM: whose order takes the engine past a command at which it halts.
    operator_public_key: str = ""
    lease_duration_ms: int = 3_000
    # Who leads asks for the newest rules of its code: only where no engine of older code may be running.
    activates_rules: bool = False
    # Where spans go, the OTLP/HTTP URL of a collector (http://host:4318/v1/traces); "" for no tracing.
    tracing_endpoint: str = ""
    # The part of requests that is traced, 0 to 1.
    tracing_share: float = Field(default=0.01, ge=0, le=1)
    # Requests that come through trusted_proxies are traced if their traceparent says so: only where the proxy
    # writes that header itself, or takes out those of clients.
    tracing_parents: bool = False
    # Folder of exchange.process.crash_points; for tests that kill.
    crash_points: Path | None = None

    # Where snapshots and the archive are kept: "folder:<path>", "s3://bucket/prefix", "" for data_dir.
    object_store: str = ""
    object_store_deadline_ms: int = 60_000
    # "" for Amazon's own.
    s3_endpoint_url: str = ""
    # "" for the bucket's own key.
    s3_kms_key_id: str = ""
    # A segment of the archive is closed when it has this size, or its first record this age.
    archive_segment_size_bytes: int = 8 * 1024 * 1024
    archive_segment_age_ms: int = 60_000
    # Records of both logs that are older are removed once they are proven to be in the archive and behind
    # every kept snapshot; 0 for never. Longer than any reader of the logs may be away (ADR 0020).
    log_kept_days: int = Field(default=0, ge=0)
    # Candles and trades: "dynamodb:<table of candles>,<table of trades>", "folder:<path>", "" for none.
    market_history: str = ""
    # Keys that the rows of one market are spread over. May be raised, never lowered.
    market_history_shards: int = Field(default=8, ge=1, le=100)
    # After so many days trades and candles of a second may go; the other candles stay.
    market_history_trades_days: int = Field(default=400, ge=1)
    market_history_seconds_days: int = Field(default=31, ge=1)
    # How long what was traded may wait for others to be written with.
    market_history_age_ms: int = Field(default=1_000, ge=1)
    market_history_deadline_ms: int = Field(default=20_000, ge=1)
    # Where every trade goes for analysis: "kinesis:<stream>", "folder:<path>", "" for nowhere.
    lake: str = ""

    # Notices to people. "" for what needs no AWS: a table of the database, a file in data_dir, no browsers.
    notices_queue_url: str = ""
    notices_topic_arn: str = ""
    # Whose name SES sends in: what a person has asked for goes by mail to him alone, and not to the topic.
    notices_mail_from: str = ""
    # Table of browsers' connections, and where to post to them: both or neither.
    notices_connections_table: str = ""
    notices_connections_url: str = ""
    # Take from the queue and send, in the notifier itself; false where a function does it.
    notices_worker: bool = True
    # Where people reach the web terminal, https://..., for the links in notices; "" makes notices without.
    public_url: str = ""
    # A notice that failed so often is a dead letter; SQS has a setting of its own for it.
    notices_attempts_max: int = 5
    notices_deadline_ms: int = 10_000
    # Webhooks may lead to this machine's own address, without TLS too: only where the exchange is one's own.
    webhook_loopback: bool = False

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises SettingsError on a name or value that is not understood."""
        known = {f"EXCHANGE_{name.upper()}" for name in cls.model_fields}
        unknown = sorted(n for n in os.environ if n.startswith("EXCHANGE_") and n not in known)
        if unknown:
            raise SettingsError(f"unknown settings: {', '.join(unknown)}")
        try:
            settings = cls()
            return settings.model_copy(update=settings._login_files())
        except ValueError as error:
            raise SettingsError(str(error)) from error

    def login(self, name: str) -> str:
        """One of LOGINS as it is now: of its file, or as it was at the start where there is none."""
        kept = getattr(self, name)
        return self._login_file(name) or (kept.get_secret_value() if isinstance(kept, SecretStr) else kept)

    def _login_files(self) -> dict[str, SecretStr | str]:
        told = {name: value for name in LOGINS if (value := self._login_file(name))}
        return {name: SecretStr(value) if name != "kafka_username" else value for name, value in told.items()}

    def _login_file(self, name: str) -> str:
        """What the folder says; "" without a folder or a file."""
        if self.logins_dir is None:
            return ""
        try:
            return (self.logins_dir / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SettingsError(f"EXCHANGE_LOGINS_DIR: {name} cannot be read: {error.strerror}") from error
