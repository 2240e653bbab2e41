"""The collector sends what the alarms ask for, by the dimensions that they ask for and may do little else."""

import fnmatch
import re

import kubernetes_validate
import pytest
import yaml

from tests.cluster import build
from tests.helm.charts import CHART, KUBERNETES, ROOT, HelmError, objects, run_helm
from tests.helm.collector import (
    COLLECTOR,
    HANDOVER,
    OBSERVABILITY,
    WITHOUT_PROMETHEUS,
    asked_for,
    config,
    one,
    rendered,
)
from tests.helm.test_settings import emitted


def test_helm_and_kubernetes_take_the_chart() -> None:
    run_helm("lint", str(COLLECTOR), "--strict", "--namespace", "opentelemetry", *HANDOVER)
    for found in rendered():
        kubernetes_validate.validate(found, KUBERNETES, strict=True)


def test_pipelines_are_made_of_parts_that_are_there() -> None:
    names = {"metrics/cloudwatch", "traces"}
    for more, expected in (((), names | {"metrics/managed"}), (WITHOUT_PROMETHEUS, names)):
        made = config(*more)
        pipelines = made["service"]["pipelines"]
        assert set(pipelines) == expected
        for kind in ("receivers", "processors", "exporters"):
            assert {name for each in pipelines.values() for name in each[kind]} == set(made[kind]), kind
        assert set(made["service"]["extensions"]) == set(made["extensions"])
        # Before all else, and last: what bounds memory, and what makes few calls of many.
        assert all(each["processors"][0] == "memory_limiter" for each in pipelines.values())
        assert all(each["processors"][-1] == "batch" for each in pipelines.values())
    assert config()["exporters"]["prometheusremotewrite"]["endpoint"].endswith(
        "4444-555555555555/api/v1/remote_write"
    )


def test_every_metric_of_an_alarm_arrives_by_the_dimensions_that_the_alarm_names() -> None:
    asked = asked_for()
    assert len(asked) > 15
    assert asked["exchange_order_errors_total"] == {("code",)}
    assert asked["exchange_order_request_seconds"] == {(), ("endpoint",)}
    made = config()
    passed = set(made["processors"]["filter/alarmed"]["metrics"]["include"]["metric_names"])
    exporter = made["exporters"]["awsemf"]
    assert exporter["dimension_rollup_option"] == "NoDimensionRollup"
    sent = {
        metric: {tuple(names) for names in declaration["dimensions"]}
        for metric in passed
        for declaration in exporter["metric_declarations"]
        if re.search(declaration["metric_name_selectors"][0], metric)
    }
    assert passed == set(sent)
    for metric, dimensions in asked.items():
        assert dimensions <= sent.get(metric, set()), metric
    assert all(() in dimensions for dimensions in sent.values()), "each also without dimensions"
    namespace = re.search(r'namespace = "(\w+)"', (OBSERVABILITY / "alarms.tf").read_text("utf-8"))
    assert namespace is not None
    assert exporter["namespace"] == namespace[1]


def test_nothing_is_sent_to_cloudwatch_that_nobody_emits() -> None:
    made = {re.sub(r"_(bucket|sum|count)$", "", name) for name in emitted()} | emitted()
    values = yaml.safe_load((COLLECTOR / "values.yaml").read_text("utf-8"))
    assert set(values["cloudwatchMetrics"]) <= made


def test_dimensions_are_labels_with_the_values_that_alarms_ask_for() -> None:
    rest = (ROOT / "services" / "order" / "doors" / "rest.py").read_text("utf-8")
    assert re.search(r'"exchange_order_errors_total", "[^"]+", \["endpoint", "code"\]', rest)
    # Who counts what is new does not count the first value that he sees: it must be a zero.
    shown = re.search(r"_OUR_ERRORS: Final = \(([^)]+)\)", rest)
    assert shown is not None
    alarmed = re.findall(r'(?:internal|unknown) = "(-\d+)"', (OBSERVABILITY / "main.tf").read_text("utf-8"))
    assert len(alarmed) == 2
    assert set(alarmed) <= set(shown[1].split(", "))
    variables = (OBSERVABILITY / "variables.tf").read_text("utf-8")
    cancel = re.search(r'variable "cancel_endpoint" \{[^}]*default\s*=\s*"([^"]+)"', variables)
    assert cancel is not None
    assert f'"{cancel[1]}"' in (ROOT / "services" / "order" / "doors" / "routes.py").read_text("utf-8")


def test_no_alarm_asks_for_a_percentile_of_sums_and_counts() -> None:
    for name in ("alarms.tf", "main.tf"):
        text = (OBSERVABILITY / name).read_text("utf-8")
        assert "extended_statistic" not in text
        assert not re.search(r'"p\d\d(\.\d+)?"', text)


def test_counters_arrive_as_what_is_new_and_each_pod_counts_by_itself() -> None:
    made = config()
    assert "cumulativetodelta" in made["service"]["pipelines"]["metrics/cloudwatch"]["processors"]
    assert made["exporters"]["awsemf"]["resource_to_telemetry_conversion"] == {"enabled": True}
    assert one("Deployment")["spec"]["replicas"] == 1, "two would count everything twice"
    (job,) = made["receivers"]["prometheus/cloudwatch"]["config"]["scrape_configs"]
    # A window of an alarm is a minute: each has a value.
    assert int(job["scrape_interval"].removesuffix("s")) <= 30
    assert job["scrape_protocols"] == ["PrometheusText0.0.4"]


def test_dashboards_and_autoscalers_get_everything_by_the_labels_that_they_know() -> None:
    made = config()
    pipeline = made["service"]["pipelines"]["metrics/managed"]
    assert pipeline["processors"] == ["memory_limiter", "batch"], "nothing is filtered"
    (job,) = made["receivers"]["prometheus/managed"]["config"]["scrape_configs"]
    assert job["job_name"] == "exchange", "dashboards and alerts know this job"
    assert {"namespace", "pod"} <= {rule.get("target_label") for rule in job["relabel_configs"]}
    assert "metric_relabel_configs" not in job


def test_it_finds_the_pods_of_the_exchange_and_only_these() -> None:
    (job,) = config()["receivers"]["prometheus/managed"]["config"]["scrape_configs"]
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["exchange"]}}]
    assert job["relabel_configs"][0]["source_labels"] == [
        "__meta_kubernetes_pod_label_app_kubernetes_io_part_of"
    ]
    for kind in ("Deployment", "StatefulSet"):
        for name, found in objects("production", kind).items():
            template = found["spec"]["template"]
            assert template["metadata"]["labels"]["app.kubernetes.io/part-of"] == "exchange", name
            assert [port["name"] for port in template["spec"]["containers"][0]["ports"]] == ["http"], name


def test_the_pod_is_bounded_pinned_and_nobody() -> None:
    pod = one("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert re.fullmatch(r".+/aws-otel-collector:v\d+\.\d+\.\d+", container["image"])
    digest = "sha256:" + "0" * 64
    pinned = one("Deployment", "--set", f"collector.image.digest={digest}")["spec"]["template"]["spec"]
    assert pinned["containers"][0]["image"].endswith(f"@{digest}")
    with pytest.raises(HelmError, match="tag"):
        rendered("--set", "collector.image.tag=latest")
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


def test_it_may_only_look_where_pods_are_and_its_account_is_the_one_that_aws_knows() -> None:
    role = one("Role")
    assert role["metadata"]["namespace"] == "exchange"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    controllers = (ROOT / "infra/terraform/modules/eks/controllers.tf").read_text("utf-8")
    tied = re.search(r'telemetry = \{\s*namespace\s*=\s*"([\w-]+)", account = "([\w-]+)"', controllers)
    assert tied is not None
    account = one("ServiceAccount")["metadata"]
    assert (account["namespace"], account["name"]) == tied.groups()
    assert one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account["name"]
    with pytest.raises(HelmError, match="tied"):
        run_helm("template", "collector", str(COLLECTOR), "--namespace", "elsewhere", *HANDOVER)


def test_network_policies_on_both_sides_let_it_ask_and_be_told() -> None:
    port = [{"protocol": "TCP", "port": 8080}]
    traces = [{"protocol": "TCP", "port": 4317}, {"protocol": "TCP", "port": 4318}]
    theirs = objects("production", "NetworkPolicy")
    collector = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "opentelemetry"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "collector"}},
    }
    (asked,) = theirs["metrics"]["spec"]["ingress"]
    assert collector in asked["from"]
    assert asked["ports"] == port
    assert theirs["to-collector"]["spec"]["egress"] == [{"to": [collector], "ports": traces}]
    own = one("NetworkPolicy")["spec"]
    labels = one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert own["podSelector"]["matchLabels"].items() <= labels.items()
    assert collector["podSelector"]["matchLabels"].items() <= labels.items()
    exchange = {"matchLabels": {"kubernetes.io/metadata.name": "exchange"}}
    assert own["ingress"] == [{"from": [{"namespaceSelector": exchange}], "ports": traces}]
    assert [
        rule["ports"] for rule in own["egress"] if rule["to"][0].get("namespaceSelector") == exchange
    ] == [port]
    assert all(rule["to"] and rule["ports"] for rule in own["egress"])
    with pytest.raises(HelmError, match="lets everything through"):
        rendered("--set", "network.kubernetesCidrs=null")
    without = objects("production", "NetworkPolicy", "--set", "monitoring.collectorNamespace=")
    assert "to-collector" not in without
    assert len(without["metrics"]["spec"]["ingress"][0]["from"]) == 1


def test_the_cluster_runs_the_collector_in_the_versions_of_the_pinned_image() -> None:
    image = one("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(f":{build.COLLECTOR_IMAGE}"), "look which versions the new image has"
    module = (ROOT / "tests" / "cluster" / "collector" / "go.mod").read_text("utf-8")
    parts = re.findall(r"opentelemetry-collector-contrib/\S+ v(\S+)", module)
    assert len(parts) > 10
    assert set(parts) == {build.COLLECTOR}


def test_what_is_missing_is_named() -> None:
    for setting, complaint in (
        ("global.region=", "region"),
        ("global.telemetry.metricsLogGroup=", "metricsLogGroup"),
    ):
        with pytest.raises(HelmError, match=complaint):
            rendered("--set", setting)


def test_what_each_process_says_goes_to_the_log_group_that_terraform_made_for_it() -> None:
    variables = (OBSERVABILITY / "variables.tf").read_text("utf-8")
    found = re.search(r'variable "processes" \{.*?default = \[(.*?)\]', variables, re.DOTALL)
    assert found is not None
    processes = set(re.findall(r'"([\w-]+)"', found[1]))
    handover = yaml.safe_load((CHART / "ci" / "handover.yaml").read_text("utf-8"))
    groups = handover["global"]["telemetry"]["logGroups"]
    assert set(groups) == processes
    made = config(of_logs=True)
    pipelines = made["service"]["pipelines"]
    assert set(pipelines) == {f"logs/{process}" for process in processes}
    for name, pipeline in pipelines.items():
        (receiver,), (exporter,) = pipeline["receivers"], pipeline["exporters"]
        assert made["exporters"][exporter]["log_group_name"] == groups[name.removeprefix("logs/")]
        assert made["receivers"][receiver]["storage"] == "file_storage"
    assert set(made["service"]["extensions"]) == set(made["extensions"])


def test_each_container_of_the_exchange_is_read_once() -> None:
    receivers = config(of_logs=True)["receivers"]
    patterns = [(name, pattern) for name, found in receivers.items() for pattern in found["include"]]
    packed = {pattern for found in receivers.values() for pattern in found["exclude"]}
    for kind in ("Deployment", "StatefulSet", "Job"):
        for name, found in objects("production", kind, "--set", "rebuild.enabled=true").items():
            for container in found["spec"]["template"]["spec"]["containers"]:
                path = f"/var/log/pods/exchange_{name}-x1_0-1-2/{container['name']}/0.log"
                # Also what the node has set aside, until it is packed.
                for each in (path, f"{path}.20261122-010000"):
                    readers = [reader for reader, pattern in patterns if fnmatch.fnmatchcase(each, pattern)]
                    assert len(readers) == 1, (each, readers)
                assert any(fnmatch.fnmatchcase(f"{path}.20261122-010000.gz", pattern) for pattern in packed)
    elsewhere = "/var/log/pods/kube-system_order-x1_0-1-2/order/0.log"
    assert not any(fnmatch.fnmatchcase(elsewhere, pattern) for _, pattern in patterns)


def test_who_reads_the_nodes_files_is_root_with_no_rights_and_writes_only_where_it_was() -> None:
    pod = one("DaemonSet", of_logs=True)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == one("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert pod["automountServiceAccountToken"] is False
    read_only = {mount["name"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert read_only == {"config": True, "pods": True, "places": False}
    assert pod["tolerations"] == [{"operator": "Exists", "effect": "NoSchedule"}], "the engine's nodes too"
    policy = one("NetworkPolicy", of_logs=True)["spec"]
    assert "ingress" not in policy
    assert policy["podSelector"]["matchLabels"].items() <= (
        one("DaemonSet", of_logs=True)["spec"]["template"]["metadata"]["labels"].items()
    )


def test_without_log_groups_nobody_reads_the_nodes_files() -> None:
    kinds = [each["kind"] for each in rendered("--set", "global.telemetry.logGroups=null")]
    assert "DaemonSet" not in kinds
