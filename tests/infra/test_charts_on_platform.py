"""What the charts need of a cluster is there before them, and the image runs where it is sent."""

from pathlib import Path

import pytest

from infra.checks.platform import Platform, architectures_built, architectures_needed, installed_charts
from tests.helm.charts import AWS_SHAPES, ROOT, rendered
from tests.helm.collector import rendered as rendered_collector

TERRAFORM = ROOT / "infra" / "terraform"
INSTALLING = ("environments/*/platform/*.tf", "modules/platform/*.tf", "modules/eks/*.tf")
LAYERS = [path for pattern in INSTALLING for path in sorted(TERRAFORM.glob(pattern))]
DOCUMENTS = [ROOT / "docs" / "images.md", ROOT / "docs" / "deploy.md"]


def texts(paths: list[Path]) -> list[str]:
    return [path.read_text("utf-8") for path in paths if path.exists()]


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_the_listed_platform_has_all_that_the_charts_ask_for(shape: str) -> None:
    assert Platform.listed().lacks(rendered(shape)) == []
    assert Platform.listed().lacks(rendered_collector()) == []


def test_the_platform_layer_installs_every_chart_of_the_list() -> None:
    installed = installed_charts(texts([*LAYERS, ROOT / "docs" / "deploy.md"]))
    assert installed == set(Platform.listed().namespaces)


def test_metrics_are_asked_for_from_where_the_operator_lives() -> None:
    policy = next(
        each for each in rendered("production")
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "metrics"
    )  # fmt: skip
    sources = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in policy["spec"]["ingress"]
        for peer in rule["from"]
    ]
    assert Platform.listed().namespaces["kube-prometheus-stack"] in sources


def test_the_check_sees_what_nobody_installs() -> None:
    """The controllers that docs/deploy.md once installed: no operator, adapter or metrics-server."""
    before = Platform.of(["aws-load-balancer-controller", "external-secrets", "cluster-autoscaler"])
    said = before.lacks(rendered("production"))
    assert "ServiceMonitor exchange: nothing installs monitoring.coreos.com/v1/ServiceMonitor" in said
    assert "PrometheusRule exchange: nothing installs monitoring.coreos.com/v1/PrometheusRule" in said
    assert "HorizontalPodAutoscaler order: nothing serves custom.metrics.k8s.io" in said
    assert len(said) == 8
    bare = Platform().lacks(rendered("production"))
    assert "Ingress exchange: nothing serves the class alb" in bare
    assert any(
        "nobody makes external-secrets.io/v1/ClusterSecretStore/aws-secrets-manager" in each for each in bare
    )
    assert any("ConfigMap database-ca" in each for each in bare)


def test_charts_are_found_in_commands_and_in_terraform() -> None:
    command = "helm install external-secrets external-secrets/external-secrets -n external-secrets\n"
    layer = 'resource "helm_release" "this" {\n  chart = "kube-prometheus-stack"\n}\n'
    addons = 'resource "aws_eks_addon" "this" {\n  for_each = toset(["coredns", "metrics-server"])\n}\n'
    expected = {"external-secrets", "kube-prometheus-stack", "metrics-server"}
    assert installed_charts([command, layer, addons]) == expected
    assert installed_charts(["# metrics-server is needed"]) == set()


def test_architectures_are_told_by_the_names_of_machines() -> None:
    assert architectures_needed(['types = ["c8g.large", "m7g.2xlarge"]']) == {"arm64": "c8g"}
    assert set(architectures_needed(['"c8g.large"', '"m7i.large"'])) == {"arm64", "amd64"}
    assert set(architectures_needed(['resource "aws_eks_fargate_profile" "jobs" {'])) == {"amd64"}
    assert set(architectures_needed(['architectures = ["arm64"]'])) == {"arm64"}
    before = "docker buildx build --platform linux/arm64 --tag t --push .\n"
    assert architectures_built([before]) == [({"arm64"}, False)]
    assert architectures_built(
        ["docker buildx build --platform linux/arm64,linux/amd64 --provenance=false \\\n  --sbom=false ."]
    ) == [({"arm64", "amd64"}, True)]


def test_the_image_is_built_for_whatever_runs_it_and_lambda_takes_it() -> None:
    needed = architectures_needed(texts(sorted(TERRAFORM.rglob("*.tf"))))
    assert "arm64" in needed
    built = architectures_built(texts(DOCUMENTS))
    assert built
    for architectures, plain in built:
        assert set(needed) <= architectures, needed
        assert plain, "Lambda refuses the digest of a list with attestations"
