"""What must hold of every pod and every object, whatever the values say."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helm.charts import (
    AWS_SHAPES,
    ROOT,
    SCRAM,
    SHAPES,
    Object,
    containers,
    logins,
    objects,
    pods,
    rendered,
    workloads,
)

SCALED = {"order", "market-data", "user"}
SINGLE = {
    "projections-ledger",
    "projections-book",
    "projections-withdrawals",
    "archive",
    "auditor",
    "market-history",
    "notifier",
}
JOBS = {"migrations", "topics", "readiness"}
CALLS_AWS_OR_KUBERNETES = {
    f"EXCHANGE_{name}"
    for name in ("KMS_KEY_ID", "OBJECT_STORE", "LEASE", "MARKET_HISTORY", "NOTICES_QUEUE_URL")
}
every_shape = pytest.mark.parametrize("shape", SHAPES)
on_aws = pytest.mark.parametrize("shape", AWS_SHAPES)


def seconds_until_killed(pod: Object) -> int:
    return int(pod["terminationGracePeriodSeconds"])


def requirements(pod: Object) -> list[Any]:
    """What the node affinity demands, as (key, operator, values)."""
    terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert len(terms) == 1, "terms are alternatives: all demands belong into one"
    return [(e["key"], e["operator"], e["values"]) for e in terms[0]["matchExpressions"]]


@every_shape
def test_every_process_has_its_workload(shape: str) -> None:
    found = set(workloads(shape, "--set", "workloads.notifier.enabled=true"))
    wanted = SCALED | SINGLE | JOBS | {"engine"}
    assert found == (wanted - {"archive", "market-history"} if shape == "local" else wanted)
    assert ("notifier" in workloads(shape)) is (shape in AWS_SHAPES)


@every_shape
def test_nothing_runs_as_root_or_may_write_to_its_image(shape: str) -> None:
    for name, pod in pods(shape):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == 10001
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for name, container in containers(shape):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, name
        assert context["allowPrivilegeEscalation"] is context["privileged"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_the_user_is_the_image_s_own() -> None:
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text("utf-8")


@every_shape
def test_images_are_pinned(shape: str) -> None:
    for name, container in containers(shape):
        image = container["image"]
        assert ":latest" not in image, name
        assert "@sha256:" in image or shape == "local", image
        assert image.rpartition(":")[2] not in ("", "exchange"), image


@every_shape
def test_every_container_has_bounds(shape: str) -> None:
    for name, container in containers(shape):
        resources = container["resources"]
        assert set(resources["limits"]) == set(resources["requests"]) == {"cpu", "memory"}, name
    for name, pod in pods(shape):
        for volume in pod["volumes"]:
            assert "emptyDir" not in volume or volume["emptyDir"]["sizeLimit"], name


@every_shape
def test_every_server_has_probes_and_every_job_an_end(shape: str) -> None:
    for name, container in containers(shape):
        if name in JOBS:
            job = objects(shape, "Job")[name]["spec"]
            assert 0 < job["activeDeadlineSeconds"] <= 3600
            assert job["backoffLimit"] <= 5
            continue
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", name
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        # A halted or recovering engine is left alone: only a loop that stands still ends a process.
        assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
        assert (
            container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 60
        )


@every_shape
def test_no_service_s_name_reaches_the_environment(shape: str) -> None:
    """Settings.load refuses unknown EXCHANGE_* names, and a Service named exchange would make some."""
    for name, pod in pods(shape):
        assert pod["enableServiceLinks"] is False, name


@every_shape
def test_only_the_engine_talks_to_kubernetes_and_only_about_its_lease(shape: str) -> None:
    for name, pod in pods(shape):
        assert pod["automountServiceAccountToken"] is (name == "engine"), name
    roles = objects(shape, "Role")
    assert set(roles) == {"engine"}
    assert roles["engine"]["rules"] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["engine-0"],
            "verbs": ["get", "patch"],
        }
    ]
    assert set(objects(shape, "Lease")) == {"engine-0"}
    assert not objects(shape, "ClusterRole")
    binding = objects(shape, "RoleBinding")["engine"]
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("ServiceAccount", "engine")
    ]


@every_shape
def test_every_pod_has_an_account_of_the_agreed_name(shape: str) -> None:
    accounts = set(objects(shape, "ServiceAccount"))
    agreed = {
        "order",
        "market-data",
        "user",
        "engine",
        "projections",
        "archive",
        "auditor",
        "market-history",
        "notifier",
        "jobs",
    }
    assert {pod["serviceAccountName"] for _, pod in pods(shape)} == accounts <= agreed


@every_shape
def test_the_engine_is_two_and_never_scaled(shape: str) -> None:
    engine = objects(shape, "StatefulSet")["engine"]["spec"]
    assert engine["replicas"] == 2
    assert engine["podManagementPolicy"] == "Parallel"
    for scaler in objects(shape, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["kind"] == "Deployment"


@every_shape
def test_the_engine_never_lands_on_spot_nor_twice_on_a_host(shape: str) -> None:
    pod = objects(shape, "StatefulSet")["engine"]["spec"]["template"]["spec"]
    assert requirements(pod) == [
        ("eks.amazonaws.com/capacityType", "NotIn", ["SPOT"]),
        ("karpenter.sh/capacity-type", "NotIn", ["spot"]),
    ]
    (rule,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == "engine"
    (spread,) = pod["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "topology.kubernetes.io/zone",
        "DoNotSchedule",
    )
    assert pod["priorityClassName"] in objects(shape, "PriorityClass")


@on_aws
def test_only_the_engine_and_what_follows_it_run_in_its_pool(shape: str) -> None:
    taint = {"key": "exchange/pool", "operator": "Equal", "value": "engine", "effect": "NoSchedule"}
    for name, pod in pods(shape):
        # What follows the logs may run beside it, for want of another pool on demand; nothing else may.
        assert (taint in pod.get("tolerations", [])) is (name == "engine" or name in SINGLE), name
        assert (pod.get("nodeSelector") == {"exchange/pool": "engine"}) is (name == "engine"), name


@on_aws
def test_the_engine_has_whole_cores_that_nobody_shares(shape: str) -> None:
    container = objects(shape, "StatefulSet")["engine"]["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["resources"]["limits"]["cpu"].isdigit()


@every_shape
def test_the_only_one_of_a_kind_is_never_two_nor_on_spot(shape: str) -> None:
    for name in SINGLE & set(objects(shape, "Deployment")):
        deployment = objects(shape, "Deployment")[name]["spec"]
        assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"}), name
        assert ("karpenter.sh/capacity-type", "NotIn", ["spot"]) in requirements(
            deployment["template"]["spec"]
        )


@every_shape
def test_no_job_is_on_a_node_that_may_go_in_the_middle_of_it(shape: str) -> None:
    more = () if shape == "local" else ("--set", "rebuild.enabled=true")
    for name, job in objects(shape, "Job", *more).items():
        found = requirements(job["spec"]["template"]["spec"])
        assert ("eks.amazonaws.com/capacityType", "NotIn", ["SPOT"]) in found, name


@every_shape
def test_services_scale_from_two_by_load_of_their_own(shape: str) -> None:
    scalers = objects(shape, "HorizontalPodAutoscaler")
    assert set(scalers) == SCALED
    for name, scaler in scalers.items():
        spec = scaler["spec"]
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        assert 2 <= spec["minReplicas"] <= spec["maxReplicas"]
        cpu, own = spec["metrics"]
        assert cpu["resource"]["name"] == "cpu"
        assert own["pods"]["metric"]["name"].startswith(f"exchange_{name.replace('-', '_')}_")
        # The autoscaler decides on the number, so nobody else may.
        assert "replicas" not in objects(shape, "Deployment")[name]["spec"]
    market_data = scalers["market-data"]["spec"]["metrics"][1]["pods"]
    assert market_data["metric"]["name"] == "exchange_market_data_stream_clients"


@every_shape
def test_budgets_guard_what_runs_twice_and_always_let_a_node_drain(shape: str) -> None:
    budgets = objects(shape, "PodDisruptionBudget")
    assert set(budgets) == SCALED | {"engine"}
    for name, budget in budgets.items():
        spec = budget["spec"]
        assert spec["maxUnavailable"] == 1, name
        assert "minAvailable" not in spec
        assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert spec["selector"]["matchLabels"] == workloads(shape)[name]["spec"]["selector"]["matchLabels"]


@every_shape
def test_services_spread_over_zones_and_roll_without_a_gap(shape: str) -> None:
    for name in SCALED:
        deployment = objects(shape, "Deployment")[name]["spec"]
        zone, host = deployment["template"]["spec"]["topologySpreadConstraints"]
        assert (zone["topologyKey"], zone["maxSkew"]) == ("topology.kubernetes.io/zone", 1)
        assert zone["whenUnsatisfiable"] == "DoNotSchedule"
        assert host["topologyKey"] == "kubernetes.io/hostname"
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@on_aws
def test_pods_answer_for_longer_than_the_load_balancer_sends(shape: str) -> None:
    attributes = objects(shape, "Ingress")["exchange"]["metadata"]["annotations"][
        "alb.ingress.kubernetes.io/target-group-attributes"
    ]
    deregistration_s = int(attributes.split("deregistration_delay.timeout_seconds=")[1].split(",")[0])
    for name in SCALED:
        pod = objects(shape, "Deployment")[name]["spec"]["template"]["spec"]
        sleep_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert sleep_s > deregistration_s
        # uvicorn is given 7 s, a component 10 s (exchange/process/frame.py, exchange/process/components.py).
        assert seconds_until_killed(pod) >= sleep_s + 20
    engine = objects(shape, "StatefulSet")["engine"]["spec"]["template"]["spec"]
    assert seconds_until_killed(engine) >= 20
    # Clients are not sent to the engine: it gives its lease back at once.
    assert "lifecycle" not in engine["containers"][0]


def selected(policy: Object, names: set[str]) -> set[str]:
    """Which of these workloads a NetworkPolicy is about."""
    selector = policy["spec"]["podSelector"]
    if "matchExpressions" in selector:
        (expression,) = selector["matchExpressions"]
        assert (expression["key"], expression["operator"]) == ("app.kubernetes.io/name", "In")
        return names & set(expression["values"])
    labels = selector.get("matchLabels", {})
    return {labels["app.kubernetes.io/name"]} if "app.kubernetes.io/name" in labels else names


def ways_out(shape: str, *more: str) -> Iterator[tuple[str, int]]:
    names = set(workloads(shape, *more))
    for policy in objects(shape, "NetworkPolicy", *more).values():
        for rule in policy["spec"].get("egress", []):
            for port in rule["ports"]:
                yield from ((name, port["port"]) for name in selected(policy, names))


@on_aws
def test_nothing_may_be_reached_unless_it_is_said(shape: str) -> None:
    policies = objects(shape, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, policy in policies.items():
        for rule in [*policy["spec"].get("egress", []), *policy["spec"].get("ingress", [])]:
            assert rule["ports"], name
            assert rule.get("to") or rule.get("from"), f"{name} lets everybody through"
    engine_callers = [
        name
        for name, policy in policies.items()
        if policy["spec"].get("ingress") and "engine" in selected(policy, {"engine"})
    ]
    assert sorted(engine_callers) == ["metrics", "readiness"]


@on_aws
def test_every_process_reaches_what_its_settings_name_and_no_more(shape: str) -> None:
    ways = set(ways_out(shape))
    for name, container in containers(shape):
        settings = {entry["name"] for entry in container.get("env", [])}
        settings |= {f"EXCHANGE_{setting.upper()}" for setting in logins(shape)[name]}
        assert ((name, 9092) in ways) == ("EXCHANGE_KAFKA_BOOTSTRAP" in settings), name
        assert ((name, 5432) in ways) == ("EXCHANGE_DATABASE_DSN" in settings), name
        assert ((name, 6379) in ways) == ("EXCHANGE_CACHE_URL" in settings), name
        assert ((name, 4318) in ways) == ("EXCHANGE_TRACING_ENDPOINT" in settings), name
        assert (name, 53) in ways, name
        assert ((name, 443) in ways) == bool(CALLS_AWS_OR_KUBERNETES & settings), name


@on_aws
@pytest.mark.parametrize("more", [(), SCRAM])
def test_who_signs_reaches_the_agent_that_has_its_credentials_and_nobody_else(
    shape: str, more: tuple[str, ...]
) -> None:
    """Pod Identity's, on the node: without it boto3 has no credentials, whatever the role may do."""
    ways = set(ways_out(shape, *more))
    for name, container in containers(shape, *more):
        settings = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        by_role = settings.get("EXCHANGE_KAFKA_SASL_MECHANISM") == "AWS_MSK_IAM"
        assert ((name, 80) in ways) == (by_role or bool(CALLS_AWS_OR_KUBERNETES & set(settings))), name


@every_shape
def test_plain_secrets_are_for_one_machine_only(shape: str) -> None:
    assert bool(objects(shape, "Secret")) is (shape == "local")
    faucets = {
        entry["value"]
        for _, container in containers(shape)
        for entry in container.get("env", [])
        if entry["name"] == "EXCHANGE_FAUCET"
    }
    assert faucets == {"true" if shape in ("local", "staging") else "false"}


@every_shape
def test_everything_belongs_to_the_exchange(shape: str) -> None:
    for found in rendered(shape):
        assert found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "exchange"


@pytest.mark.parametrize("shape", SHAPES)
def test_nodes_can_be_given_back_but_not_from_under_a_job(shape: str) -> None:
    """The autoscaler keeps a node whose pods have folders of their own, unless they name them."""
    for name, found in workloads(shape).items():
        template = found["spec"]["template"]
        told = template["metadata"]["annotations"]
        prefix = "cluster-autoscaler.kubernetes.io"
        if found["kind"] == "Job":
            assert told[f"{prefix}/safe-to-evict"] == "false", name
            assert told["karpenter.sh/do-not-disrupt"] == "true", name
            continue
        folders = {volume["name"] for volume in template["spec"]["volumes"] if "emptyDir" in volume}
        assert set(told[f"{prefix}/safe-to-evict-local-volumes"].split(",")) == folders, name


@pytest.mark.parametrize("shape", SHAPES)
def test_a_dead_node_is_given_up_in_half_a_minute(shape: str) -> None:
    """Kubernetes waits five minutes by default, and what runs once would be away for as long."""
    for name, found in workloads(shape).items():
        given = found["spec"]["template"]["spec"].get("tolerations", [])
        waits = {each["key"]: each["tolerationSeconds"] for each in given if "tolerationSeconds" in each}
        keys = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
        assert waits == ({} if found["kind"] == "Job" else dict.fromkeys(keys, 30)), name
        assert all(each["effect"] == "NoExecute" for each in given if "tolerationSeconds" in each)
