"""The rebuild of a stopped exchange: never by itself, and before anything that could use what it makes."""

import json

import kubernetes_validate
import pytest

from tests.helm.charts import AWS_SHAPES, KUBERNETES, SHAPES, containers, logins, objects, rendered, workloads
from tests.helm.test_policies import CALLS_AWS_OR_KUBERNETES, selected

ON = ("--set", "rebuild.enabled=true")
MOVED = (
    *ON,
    *("--set", "rebuild.archive=exchange-example-archive"),
    *("--set", "rebuild.witnesses=exchange-example-snapshots"),
    *("--set", "rebuild.discard={exchange.commands.0=12,exchange.events.0=11}"),
    *("--set", "rebuild.acceptLoss=true"),
    *("--set", "global.objectStore.archive=exchange-example-archive/second"),
    *("--set", "global.objectStore.snapshots=exchange-example-snapshots/second"),
)
on_aws = pytest.mark.parametrize("shape", AWS_SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_release_rebuilds_nothing_unless_it_is_told_to(shape: str) -> None:
    assert "rebuild" not in {found["metadata"]["name"] for found in rendered(shape)}


@on_aws
def test_it_runs_between_migrations_and_topics_and_fails_once(shape: str) -> None:
    jobs = objects(shape, "Job", *ON)
    weights = {name: int(job["metadata"]["annotations"]["helm.sh/hook-weight"]) for name, job in jobs.items()}
    assert weights["migrations"] < weights["rebuild"] < weights["topics"]
    assert jobs["rebuild"]["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert jobs["rebuild"]["spec"]["backoffLimit"] == 0
    # What it needs is there before any job, also where nothing was installed yet.
    needed = {("ServiceAccount", "rebuild"), ("Role", "rebuild"), ("RoleBinding", "rebuild")}
    needed.add(("ExternalSecret", "exchange-jobs-redis"))
    found = {(each["kind"], each["metadata"]["name"]): each for each in rendered(shape, *ON)}
    for each in needed:
        assert int(found[each]["metadata"]["annotations"]["helm.sh/hook-weight"]) < weights["migrations"]


@on_aws
def test_it_has_a_role_of_aws_and_the_engine_s_lease_and_no_spot_node(shape: str) -> None:
    pod = workloads(shape, *ON)["rebuild"]["spec"]["template"]
    assert pod["spec"]["nodeSelector"] == {"exchange/pool": "engine"}
    assert pod["spec"]["serviceAccountName"] == "rebuild"
    assert pod["spec"]["automountServiceAccountToken"] is True
    roles = objects(shape, "Role", *ON)
    assert roles["rebuild"]["rules"] == roles["engine"]["rules"]


@on_aws
def test_it_reaches_what_its_settings_name(shape: str) -> None:
    container = dict(containers(shape, *ON))["rebuild"]
    settings = {entry["name"] for entry in container["env"]}
    settings |= {f"EXCHANGE_{name.upper()}" for name in logins(shape, *ON)["rebuild"]}
    wanted = {f"EXCHANGE_{name}" for name in ("KAFKA_BOOTSTRAP", "DATABASE_DSN", "CACHE_URL", "LEASE")}
    assert wanted | {"EXCHANGE_TOPIC_REPLICAS", "EXCHANGE_OBJECT_STORE"} <= settings
    assert settings & CALLS_AWS_OR_KUBERNETES
    ports = {
        port["port"]
        for policy in objects(shape, "NetworkPolicy", *ON).values()
        if selected(policy, {"rebuild"})
        for rule in policy["spec"].get("egress", [])
        for port in rule["ports"]
    }
    assert {53, 443, 5432, 6379, 9092} <= ports


def test_a_moved_exchange_reads_there_and_writes_here() -> None:
    container = dict(containers("production", *MOVED))["rebuild"]
    assert container["command"] == [
        *("python", "-m", "services.rebuild.main", "--source", "archive"),
        *("--archive", "s3://exchange-example-archive", "--witnesses", "s3://exchange-example-snapshots"),
        *("--discard", "exchange.commands.0=12", "--discard", "exchange.events.0=11", "--accept-loss"),
    ]
    stores = {
        name: entry["value"]
        for name, found in containers("production", *MOVED)
        for entry in found.get("env", [])
        if entry["name"] == "EXCHANGE_OBJECT_STORE"
    }
    assert stores == {
        "archive": "s3://exchange-example-archive/second",
        "auditor": "s3://exchange-example-snapshots/second",
        "engine": "s3://exchange-example-snapshots/second",
        "rebuild": "s3://exchange-example-snapshots/second",
    }


def test_its_objects_are_valid_for_kubernetes() -> None:
    before = {json.dumps(found) for found in rendered("production")}
    for found in rendered("production", *MOVED):
        if json.dumps(found) not in before and found["kind"] != "ExternalSecret":
            kubernetes_validate.validate(found, KUBERNETES, strict=True)


@on_aws
def test_from_the_log_it_knows_the_archive_too(shape: str) -> None:
    """Which has the older part of a log that retention has shortened."""
    place = ("--set", "global.objectStore.archive=exchange-example-archive")
    container = dict(containers(shape, *ON, "--set", "rebuild.source=log", *place))["rebuild"]
    assert container["command"][-4:] == ["--source", "log", "--archive", "s3://exchange-example-archive"]
