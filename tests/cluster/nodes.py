"""The simulated cluster: three zones, each with an on-demand node for the engine and two of Spot."""

from tests.cluster.api import NAMESPACE, Api, Object

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
ENGINE_POOL = {"key": "exchange/pool", "value": "engine", "effect": "NoSchedule"}
# kwok plays what it sees; these kinds belong to operators that are not there: group, kind, plural.
_OPERATORS = (
    ("monitoring.coreos.com", "ServiceMonitor", "servicemonitors"),
    ("monitoring.coreos.com", "PrometheusRule", "prometheusrules"),
    ("external-secrets.io", "ExternalSecret", "externalsecrets"),
)


def _node(name: str, zone: str, pool: str, capacity: str, taints: list[Object]) -> Object:
    room = {"cpu": "8", "memory": "32Gi", "pods": "58"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": zone,
                "eks.amazonaws.com/capacityType": capacity,
                "exchange/pool": pool,
            },
        },
        "spec": {"taints": taints},
        "status": {"allocatable": room, "capacity": room},
    }


def nodes() -> list[Object]:
    """Nine nodes, in the pools that infra/terraform makes."""
    found = []
    for zone in ZONES:
        letter = zone[-1]
        found.append(_node(f"engine-{letter}", zone, "engine", "ON_DEMAND", [ENGINE_POOL]))
        found += [_node(f"spot-{letter}-{n}", zone, "stateless", "SPOT", []) for n in (0, 1)]
    return found


async def furnish(api: Api) -> None:
    """Make nodes, namespace, and the kinds of operators."""
    for node in nodes():
        await api.post("/api/v1/nodes", node)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.post("/api/v1/namespaces", namespace)
    for group, kind, plural in _OPERATORS:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        await api.post(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "names": {"kind": kind, "plural": plural},
                    "scope": "Namespaced",
                    "versions": [version],
                },
            },
        )
