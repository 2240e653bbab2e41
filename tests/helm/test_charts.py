"""helm takes the charts in every shape, and Kubernetes' own schemas take what comes out."""

import json
import re

import kubernetes_validate
import pytest
import yaml

from tests.cluster import build
from tests.helm.charts import (
    AWS_SHAPES,
    BY_PASSWORD,
    CHART,
    KUBERNETES,
    NAMESPACE,
    OLDEST_KUBERNETES,
    ROOT,
    SCRAM,
    SHAPES,
    HelmError,
    Object,
    logins,
    objects,
    rendered,
    rendered_text,
    run_helm,
    values_arguments,
)

IN = ("--namespace", NAMESPACE)
# Kinds of operators, which Kubernetes has no schema for: kind -> what its spec may hold.
OPERATORS = {
    "ExternalSecret": {"refreshInterval", "secretStoreRef", "target", "data"},
    "ServiceMonitor": {"selector", "jobLabel", "targetLabels", "endpoints"},
    "PrometheusRule": {"groups"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_helm_lints_every_shape(shape: str) -> None:
    said = run_helm(
        "lint", str(CHART), "--strict", "--kube-version", f"{KUBERNETES}.0", *values_arguments(shape)
    )
    assert "0 chart(s) failed" in said
    assert "WARNING" not in said


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, KUBERNETES])
def test_every_object_is_valid_for_kubernetes(version: str) -> None:
    # Shapes share most of their objects, and the schemas are slow.
    distinct = {json.dumps(found): found for shape in SHAPES for found in rendered(shape)}
    for found in distinct.values():
        if found["kind"] in OPERATORS:
            assert set(found["spec"]) <= OPERATORS[found["kind"]]
            continue
        kubernetes_validate.validate(found, version, strict=True)


def test_the_versions_that_are_tried_are_those_that_terraform_and_the_charts_name() -> None:
    module = (ROOT / "infra" / "terraform" / "modules" / "eks" / "variables.tf").read_text("utf-8")
    assert re.findall(r'default\s*=\s*"(1\.\d+)"', module) == [KUBERNETES]
    assert build.KUBERNETES.startswith(f"{OLDEST_KUBERNETES}."), "what make cluster-test runs"
    for chart in ("exchange", "collector"):
        wanted = yaml.safe_load((ROOT / "helm" / chart / "Chart.yaml").read_text("utf-8"))["kubeVersion"]
        assert wanted == f">={OLDEST_KUBERNETES}.0-0"


def test_the_schemas_see_a_misspelled_field() -> None:
    wrong = json.loads(json.dumps(objects("production", "HorizontalPodAutoscaler")["order"]))
    wrong["spec"]["minReplica"] = wrong["spec"].pop("minReplicas")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_object_comes_twice(shape: str) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in rendered(shape)]
    assert len(names) == len(set(names))
    assert all(
        found["metadata"].get("namespace") == "exchange" or found["kind"] == "PriorityClass"
        for found in rendered(shape)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_rendering_twice_gives_the_same_text(shape: str) -> None:
    again = rendered_text(shape, "--skip-schema-validation")
    assert again == rendered_text(shape)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("workloads.order.autoscalin.min=3", "autoscalin"),
        ("workloads.order.autoscaling.min=1", "minimum"),
        ("workloads.engine.replicas=3", "maximum"),
        ("workloads.engine.autoscaling.min=2", "autoscaling"),
        ("global.image.tag=latest", "global.image"),
        ("global.image.digest=sha256:1234", "digest"),
        ("secrets.mode=open", "mode"),
        ("ingress.certificateArn=nonsense", "certificateArn"),
        ("drain.preStopSeconds=20", "longer"),
        ("global.kafka.bootstrap=", "kafka.bootstrap"),
        ("global.database.writerHost=", "writerHost"),
        ("global.objectStore.snapshots=", "objectStore"),
        ("global.objectStore.archive=", "objectStore"),
        ("global.marketHistory.tradesTable=", "tradesTable"),
        ("global.marketHistory.candlesTable=a b", "candlesTable"),
        ("global.lake.streamName=a b", "streamName"),
        ("network.dataCidrs=null", "lets everything through"),
        ("ingress.proxyCidrs=null", "lets everything through"),
        ("global.namespace=other", "namespace"),
    ],
)
def test_a_wrong_value_is_refused_and_named(setting: str, complaint: str) -> None:
    with pytest.raises(HelmError, match=complaint):
        run_helm("template", "exchange", str(CHART), *IN, *values_arguments("production"), "--set", setting)


def test_the_defaults_alone_say_what_is_missing() -> None:
    with pytest.raises(HelmError, match="is needed"):
        run_helm("template", "exchange", str(CHART), *IN)


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_no_secret_stands_in_what_helm_keeps(shape: str) -> None:
    assert not objects(shape, "Secret")
    externals = objects(shape, "ExternalSecret")
    assert set(externals) == {"exchange-jobs", "exchange-redis"}
    more = set(objects(shape, "ExternalSecret", *SCRAM)) - set(externals)
    assert more == {"exchange-kafka", "exchange-jobs-kafka"}
    with_passwords = objects(shape, "ExternalSecret", *BY_PASSWORD)
    assert set(with_passwords) - set(externals) == {"exchange-database"}
    for kept in (externals["exchange-jobs"], with_passwords["exchange-database"]):
        owners_login_is_kept_well(kept)
    url = externals["exchange-redis"]["spec"]["target"]["template"]["data"]["url"]
    assert url.startswith("rediss://:{{ .token | urlquery }}@")


def owners_login_is_kept_well(external: Object) -> None:
    dsn = external["spec"]["target"]["template"]["data"]["dsn"]
    assert dsn == (
        "postgresql://{{ .username | urlquery }}:{{ .password | urlquery }}"
        "@exchange.cluster-example.eu-central-1.rds.amazonaws.com:5432/exchange"
        "?sslmode=verify-full&sslrootcert=/etc/exchange/database/ca.pem"
    )
    reader = external["spec"]["target"]["template"]["data"]["readerDsn"]
    assert reader == dsn.replace(".cluster-example.", ".cluster-ro-example.")


def test_the_jobs_own_secrets_are_there_before_the_jobs() -> None:
    """A hook runs before the release's other objects are made: whatever it uses must be an earlier hook."""
    for shape, more in [*((shape, ()) for shape in SHAPES), *((shape, SCRAM) for shape in AWS_SHAPES)]:
        weights = {
            (found["kind"], found["metadata"]["name"]): int(
                found["metadata"]["annotations"]["helm.sh/hook-weight"]
            )
            for found in rendered(shape, *more)
            if "pre-install" in found["metadata"].get("annotations", {}).get("helm.sh/hook", "")
        }
        names = {"exchange-jobs", "exchange-jobs-kafka"} if more else {"exchange-jobs"}
        secrets = {("Secret" if shape == "local" else "ExternalSecret", name) for name in names}
        before = {*secrets, ("ServiceAccount", "jobs")}
        assert {*before, ("Job", "migrations"), ("Job", "topics")} == set(weights)
        first = max(weights[each] for each in before)
        assert first < weights["Job", "migrations"] < weights["Job", "topics"]
        asked = {
            secret["name"]
            for name, files in logins(shape, *more).items()
            if name in ("migrations", "topics")
            for secret in files.values()
        }
        assert asked == names


def test_values_files_set_nothing_that_the_defaults_do_not_have() -> None:
    """A key that nobody reads is a promise that nobody keeps; the schema refuses most, this refuses all."""

    def unknown(given: object, known: object, path: str) -> list[str]:
        if (
            not isinstance(given, dict)
            or not isinstance(known, dict)
            or path.endswith((".settings", "Selector", "podLabels", ".logGroups"))
        ):
            return []
        return [
            wrong
            for key, value in given.items()
            for wrong in (unknown(value, known[key], f"{path}.{key}") if key in known else [f"{path}.{key}"])
        ]

    defaults = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    for file in {file for files in SHAPES.values() for file in files}:
        assert unknown(yaml.safe_load((CHART / file).read_text("utf-8")), defaults, file) == []
