"""Every EXCHANGE_* name in the charts is a setting of exchange/process/config.py, none is missing."""

import importlib.util
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from exchange.http.peers import parse_peers
from exchange.process.config import LOGINS, Settings
from exchange.security.identity.issuers import parse_issuers
from services.migrations.rights import RIGHTS, user_of
from tests.helm.charts import (
    AWS_SHAPES,
    BY_PASSWORD,
    CHART,
    ROOT,
    SCRAM,
    SHAPES,
    HelmError,
    containers,
    logins,
    objects,
    pods,
    workloads,
)

KNOWN = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
SOURCES = [
    path.read_text("utf-8")
    for top in ("exchange", "matching_engine", "services")
    for path in (ROOT / top).rglob("*.py")
]
LOG, DATABASE, CACHE = "EXCHANGE_KAFKA_BOOTSTRAP", "EXCHANGE_DATABASE_DSN", "EXCHANGE_CACHE_URL"
LOGIN = ("EXCHANGE_KAFKA_USERNAME", "EXCHANGE_KAFKA_PASSWORD")
SERVICE = {LOG, DATABASE, CACHE, "EXCHANGE_SHARD"}
CLIENTS = {
    "EXCHANGE_TRUSTED_PROXIES",
    "EXCHANGE_FAUCET",
    "EXCHANGE_HSTS",
    "EXCHANGE_REQUEST_LIMITS",
}
NEEDED = {
    "order": SERVICE | CLIENTS | {"EXCHANGE_MARKET_DATA_URL"},
    "market-data": SERVICE | CLIENTS,
    "user": SERVICE | CLIENTS | {"EXCHANGE_PEER_URLS"},
    "engine": {LOG, "EXCHANGE_SHARD", "EXCHANGE_LEASE"},
    "projections-ledger": SERVICE,
    "projections-book": SERVICE,
    "projections-withdrawals": SERVICE,
    "archive": {LOG, "EXCHANGE_SHARD", "EXCHANGE_OBJECT_STORE"},
    "auditor": SERVICE,
    "notifier": {LOG, DATABASE, "EXCHANGE_SHARD"},
    "market-history": {LOG, "EXCHANGE_SHARD", "EXCHANGE_MARKET_HISTORY", "EXCHANGE_LAKE"},
    "migrations": {DATABASE},
    "topics": {LOG, "EXCHANGE_SHARD", "EXCHANGE_TOPIC_REPLICAS"},
}


def environment(shape: str, *more: str) -> dict[str, dict[str, str]]:
    """Workload -> name -> value, "" for what comes from a Secret."""
    files = logins(shape, *more)
    return {
        name: {
            **{entry["name"]: entry["value"] for entry in container.get("env", [])},
            **{f"EXCHANGE_{setting.upper()}": "" for setting in files[name]},
        }
        for name, container in containers(shape, *more)
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_every_name_is_a_setting_that_the_code_knows(shape: str) -> None:
    for name, given in environment(shape, "--set", "workloads.notifier.enabled=true").items():
        unknown = {word for word in given if word.startswith("EXCHANGE_")} - KNOWN
        assert not unknown, name


@pytest.mark.parametrize("shape", SHAPES)
def test_no_process_lacks_what_it_needs(shape: str) -> None:
    for name, given in environment(shape).items():
        assert NEEDED.get(name, set()) <= set(given), name
        if name in ("order", "user"):
            assert {"EXCHANGE_KMS_KEY_ID", "EXCHANGE_SECRET_KEY_FILE"} & set(given), name


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_the_auditors_checkpoints_outlive_its_pod(shape: str) -> None:
    """Where the engine's snapshots are. Without a bucket, on one's own cluster, each pod reads all anew."""
    given = environment(shape)
    assert given["auditor"]["EXCHANGE_OBJECT_STORE"].startswith("s3://")
    assert given["auditor"]["EXCHANGE_OBJECT_STORE"] == given["engine"]["EXCHANGE_OBJECT_STORE"]


@pytest.mark.parametrize("shape", SHAPES)
def test_settings_have_values_that_the_code_takes(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in environment(shape).values():
        with monkeypatch.context() as patch:
            for name, value in given.items():
                if name in KNOWN and value:
                    patch.setenv(name, value)
            settings = Settings.load()
            assert settings.shard == 0
            assert settings.lease in ("", "kubernetes:exchange/engine-0")


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_every_process_knows_its_region_by_both_names(shape: str) -> None:
    """botocore reads AWS_DEFAULT_REGION alone, and EKS adds neither to a pod that names one of them."""
    for name, given in environment(shape).items():
        assert given["AWS_REGION"] == given["AWS_DEFAULT_REGION"] == "eu-central-1", name


@pytest.mark.parametrize("shape", SHAPES)
def test_who_watches_for_anomalies_and_who_acts_on_them_are_told_the_same(shape: str) -> None:
    for more, action in (((), "alert"), (("--set", "global.anomalyAction=cancel_only"), "cancel_only")):
        told = {
            name: given["EXCHANGE_ANOMALY_ACTION"]
            for name, given in environment(shape, *more).items()
            if "EXCHANGE_ANOMALY_ACTION" in given
        }
        assert told == {"auditor": action, "user": action}
    with pytest.raises(HelmError, match="anomalyAction"):
        environment(shape, "--set", "global.anomalyAction=halt")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_engine_that_is_not_compiled_does_not_start(shape: str) -> None:
    for name, given in environment(shape).items():
        if name != "readiness":
            assert given["EXCHANGE_ENGINE_BUILD"] == "compiled", name


@pytest.mark.parametrize("shape", SHAPES)
def test_logs_are_for_machines_wherever_machines_collect_them(shape: str) -> None:
    formats = {
        given.get("EXCHANGE_LOG_FORMAT") for name, given in environment(shape).items() if name != "readiness"
    }
    assert formats == {"text" if shape == "local" else "json"}


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_the_notifier_knows_every_way_to_people_that_terraform_made(shape: str) -> None:
    given = environment(shape)["notifier"]
    notices = yaml.safe_load((Path(CHART) / "ci" / "handover.yaml").read_text("utf-8"))["global"]["notices"]
    assert given["EXCHANGE_NOTICES_QUEUE_URL"] == notices["queueUrl"]
    assert given["EXCHANGE_NOTICES_TOPIC_ARN"] == notices["topicArn"]
    assert given["EXCHANGE_NOTICES_CONNECTIONS_TABLE"] == notices["connectionsTable"]
    assert given["EXCHANGE_NOTICES_CONNECTIONS_URL"] == notices["connectionsEndpoint"]
    assert given["EXCHANGE_NOTICES_WORKER"] == "false", "the function behind the queue sends"
    with pytest.raises(HelmError, match=r"global\.notices\.queueUrl and topicArn are needed"):
        environment(shape, "--set", "global.notices.queueUrl=")
    without_functions = environment(shape, "--set", "global.notices.connectionsEndpoint=null")["notifier"]
    assert not [name for name in without_functions if name.startswith("EXCHANGE_NOTICES_CONNECTIONS")]
    assert not [
        name
        for name in environment("local", "--set", "workloads.notifier.enabled=true")["notifier"]
        if name.startswith("EXCHANGE_NOTICES")
    ]


def test_history_is_read_from_the_reader_where_there_is_one_and_nothing_else_is() -> None:
    reader = {"name": "exchange-database", "key": "readerDsn"}
    for shape in SHAPES:
        told = {
            name: files["database_reader_dsn"]
            for name, files in logins(shape, *BY_PASSWORD).items()
            if "database_reader_dsn" in files
        }
        assert told == ({} if shape == "local" else {"market-data": reader})
    given = {name: env.get("EXCHANGE_DATABASE_READER_DSN") for name, env in environment("production").items()}
    assert [name for name, dsn in given.items() if dsn is not None] == ["market-data"]
    assert "@exchange.cluster-ro-example." in str(given["market-data"])
    without = environment("production", "--set", "global.database.readerHost=null")
    assert not [name for name, given in without.items() if "EXCHANGE_DATABASE_READER_DSN" in given]


def test_who_opens_the_database_has_its_authority_at_hand_and_nobody_else() -> None:
    for name, container in containers("production"):
        paths = {mount["mountPath"] for mount in container["volumeMounts"]}
        opens = DATABASE in environment("production")[name]
        assert ("/etc/exchange/database" in paths) is opens, name


def test_the_user_service_believes_the_issuers_that_terraform_hands_over_and_nobody_else_does() -> None:
    for shape in SHAPES:
        for name, given in environment(shape).items():
            told = {word for word in given if word.startswith("EXCHANGE_IDENTITY_")}
            if name == "user" and shape in AWS_SHAPES:
                issuers = parse_issuers(given["EXCHANGE_IDENTITY_ISSUERS"])
                assert [url.removesuffix("/.well-known/jwks.json") for url in issuers.values()] == [*issuers]
                assert len(issuers) == len(given["EXCHANGE_IDENTITY_AUDIENCE"].split(",")) == 2
            else:
                assert not told, f"{shape} {name}"
    for nothing in ("null", "{}"):
        with pytest.raises(HelmError, match="audience"):
            environment("production", "--set", f"global.identity.audience={nothing}")


def test_load_balancer_and_cloudfront_are_believed_and_only_the_load_balancer_gets_in() -> None:
    ingress = yaml.safe_load((CHART / "ci" / "handover.yaml").read_text("utf-8"))["ingress"]
    balancer, cloudfront = ingress["proxyCidrs"], ingress["forwarderCidrs"]
    assert balancer
    assert cloudfront
    for name in ("order", "market-data", "user"):
        trusted = environment("production")[name]["EXCHANGE_TRUSTED_PROXIES"].split(",")
        assert trusted == [*balancer, *cloudfront], name
    (rule,) = objects("production", "NetworkPolicy")["clients"]["spec"]["ingress"]
    let_in = [peer["ipBlock"]["cidr"] for peer in rule["from"] if "ipBlock" in peer]
    assert let_in == balancer


def test_request_limits_hold_for_everybody_but_pods_that_ask_for_others() -> None:
    inside = yaml.safe_load((CHART / "ci" / "handover.yaml").read_text("utf-8"))["global"]["requestLimits"]
    assert inside["exemptCidrs"]
    for name in ("order", "market-data"):
        given = environment("production")[name]
        assert given["EXCHANGE_REQUEST_LIMITS"] == "true"
        assert given["EXCHANGE_REQUEST_LIMITS_EXEMPT"].split(",") == inside["exemptCidrs"]


def test_who_has_a_part_in_a_trace_knows_the_collector_and_nobody_else_does() -> None:
    for shape in SHAPES:
        told = {
            name: (given["EXCHANGE_TRACING_ENDPOINT"], float(given["EXCHANGE_TRACING_SHARE"]))
            for name, given in environment(shape).items()
            if "EXCHANGE_TRACING_ENDPOINT" in given
        }
        if shape in AWS_SHAPES:
            assert set(told) == {"order", "engine", "projections-ledger"}
            share = 0.1 if shape == "staging" else 0.01
            assert set(told.values()) == {("http://collector.opentelemetry:4318/v1/traces", share)}
        else:
            assert not told, shape


@pytest.mark.parametrize("shape", SHAPES)
def test_no_password_outlives_its_rotation_in_a_variable(shape: str) -> None:
    """A variable is what it was at the start; a file of a Secret follows it, not one mounted by itself."""
    for name, container in containers(shape):
        given = {entry["name"]: entry for entry in container.get("env", [])}
        assert not [entry for entry in given.values() if "valueFrom" in entry], name
        if shape in AWS_SHAPES:
            assert not {CACHE, *LOGIN} & set(given), name
            with_passwords = {entry["name"] for entry in dict(containers(shape, *BY_PASSWORD))[name]["env"]}
            assert DATABASE not in with_passwords, name
        files = logins(shape)[name]
        assert set(files) <= set(LOGINS)
        mounts = [mount for mount in container["volumeMounts"] if mount["name"] == "logins"]
        told = [entry["value"] for key, entry in given.items() if key == "EXCHANGE_LOGINS_DIR"]
        assert [mount["mountPath"] for mount in mounts] == told == ["/etc/exchange/logins"] * bool(files)
        assert not [mount for mount in mounts if "subPath" in mount]


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_each_service_is_its_own_user_of_the_database_and_jobs_are_its_owner(shape: str) -> None:
    seen = {}
    for name, pod in pods(shape, "--set", "rebuild.enabled=true", "--set", "rebuild.source=archive"):
        given = environment(shape, "--set", "rebuild.enabled=true", "--set", "rebuild.source=archive")[name]
        if DATABASE not in given:
            assert "EXCHANGE_DATABASE_TOKENS" not in given, name
            continue
        account = pod["serviceAccountName"]
        if account in ("jobs", "rebuild"):
            assert "EXCHANGE_DATABASE_TOKENS" not in given, name
            assert given[DATABASE] == "", "a file of the owner's Secret"
            continue
        assert given["EXCHANGE_DATABASE_TOKENS"] == "true", name
        for dsn in filter(None, (given[DATABASE], given.get("EXCHANGE_DATABASE_READER_DSN"))):
            parts = urlsplit(dsn)
            assert (parts.username, parts.password) == (user_of(account), None), name
            assert "sslmode=verify-full" in parts.query
        seen[account] = RIGHTS[account]
    # What has no pod is a function of AWS.
    assert set(RIGHTS) - set(seen) == {"statements"}
    rights = {name for name, given in environment(shape).items() if "EXCHANGE_DATABASE_RIGHTS" in given}
    assert rights == {"migrations"}


def test_what_changes_in_aws_is_in_the_cluster_a_minute_later() -> None:
    for name, found in objects("production", "ExternalSecret").items():
        assert found["spec"]["refreshInterval"] == "1m", name


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_whoever_opens_the_logs_on_aws_has_the_login_for_them(shape: str) -> None:
    for name, given in environment(shape).items():
        assert not {*LOGIN} & set(given), name
        if LOG in given:
            assert given["EXCHANGE_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL", name
            assert given["EXCHANGE_KAFKA_SASL_MECHANISM"] == "AWS_MSK_IAM", name
    for name, given in environment(shape, *SCRAM).items():
        assert ({*LOGIN} <= set(given)) is (LOG in given), name
        if LOG in given:
            assert given["EXCHANGE_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL", name
            assert given["EXCHANGE_KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-512", name


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_links_in_notices_lead_to_the_terminal_and_a_reset_goes_by_mail(shape: str) -> None:
    """The API's host shows no pages on AWS: the terminal is CloudFront's."""
    handover = yaml.safe_load((CHART / "ci" / "handover.yaml").read_text("utf-8"))
    web_host = handover["global"]["webHost"]
    assert web_host != handover["ingress"]["host"]
    given = environment(shape)["notifier"]
    assert given["EXCHANGE_PUBLIC_URL"] == f"https://{web_host}"
    assert given["EXCHANGE_NOTICES_MAIL_FROM"] == f"no-reply@{web_host}"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_command_names_a_module_that_exists(shape: str) -> None:
    for name, container in containers(shape):
        command = container["command"]
        assert command[:1] == ["python"]
        if command[1] == "-m":
            assert importlib.util.find_spec(command[2]) is not None, name


def test_commands_are_those_of_compose() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    ours = {name: service["command"] for name, service in compose.items() if "EXCHANGE_" in str(service)}
    charts = {name: container["command"] for name, container in containers("production")}
    engines = {name for name in ours if re.fullmatch(r"engine-\d", name)}
    assert len(engines) == objects("production", "StatefulSet")["engine"]["spec"]["replicas"]
    for name, command in ours.items():
        assert charts["engine" if name in engines else name] == command, name
    # Compose has all of it but what needs tables of AWS, and the chart's own test.
    assert set(charts) - {"engine"} - set(ours) == {"market-history", "readiness"}


@pytest.mark.parametrize("shape", SHAPES)
def test_readiness_of_the_whole_asks_every_process(shape: str) -> None:
    peers = parse_peers(environment(shape)["user"]["EXCHANGE_PEER_URLS"])
    servers = set(workloads(shape)) - {"engine", "migrations", "topics", "readiness"}
    assert set(peers) == servers | {"engine-0", "engine-1"}
    services = objects(shape, "Service")
    for name, url in peers.items():
        host = url.removeprefix("http://").removesuffix(":8080")
        pod, _, service = host.rpartition(".")
        assert pod in ("", name)
        assert service in services
    assert services["engine"]["spec"]["clusterIP"] == "None"
    assert services["engine"]["spec"]["publishNotReadyAddresses"] is True
    assert objects(shape, "StatefulSet")["engine"]["spec"]["serviceName"] == "engine"


def emitted() -> set[str]:
    """Every series that the code's metrics make."""
    suffixes = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
    return {
        name.removesuffix("_total") + suffix
        for source in SOURCES
        for kind, name in re.findall(r'(Counter|Gauge|Histogram)\(\s*"(exchange_\w+)"', source)
        for suffix in suffixes[kind]
    }


def test_alerts_are_those_of_prometheus_elsewhere() -> None:
    """tests/unit/test_alerts.py holds them to the metrics and to their pages."""
    alerts = yaml.safe_load((ROOT / "infra" / "prometheus" / "alerts.yml").read_text("utf-8"))
    assert objects("production", "PrometheusRule")["exchange"]["spec"] == alerts
    monitor = objects("production", "ServiceMonitor")["exchange"]["spec"]
    assert monitor["jobLabel"] == "app.kubernetes.io/part-of", 'the alerts ask for the job "exchange"'
    wanted = monitor["selector"]["matchLabels"].items()
    for name, service in objects("production", "Service").items():
        assert wanted <= service["metadata"]["labels"].items(), name
        assert [port["name"] for port in service["spec"]["ports"]] == [monitor["endpoints"][0]["port"]]


def test_labels_and_annotations_of_alerts_are_texts() -> None:
    """A comma outside quotes begins another key: Prometheus and its operator refuse the whole file for it."""
    rules = objects("production", "PrometheusRule")["exchange"]["spec"]["groups"]
    for rule in (rule for group in rules for rule in group["rules"]):
        for name, value in {**rule.get("labels", {}), **rule.get("annotations", {})}.items():
            assert re.fullmatch(r"[a-z_]+", name), (rule["alert"], name)
            assert isinstance(value, str), (rule["alert"], name)


def test_autoscalers_ask_for_metrics_that_the_adapter_makes_of_ours() -> None:
    adapter = yaml.safe_load((Path(CHART).parent / "prometheus-adapter-values.yaml").read_text("utf-8"))
    made = {}
    for rule in adapter["rules"]["custom"]:
        series = re.match(r"(\w+)\{", rule["seriesQuery"])
        assert series is not None
        assert series[1] in emitted()
        made[rule["name"]["as"]] = rule
    for scaler in objects("production", "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["metrics"][1]["pods"]["metric"]["name"] in made
