"""The simulated cluster: three zones, each with a node for the engine, one of the base pool, two of Spot."""

import json

from tests.cluster import build
from tests.cluster.api import NAMESPACE, Api, ApiError, Object

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
ENGINE_POOL = {"key": "exchange/pool", "value": "engine", "effect": "NoSchedule"}


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
    """Twelve nodes, in the pools that infra/terraform makes."""
    found = []
    for zone in ZONES:
        letter = zone[-1]
        found.append(_node(f"engine-{letter}", zone, "engine", "ON_DEMAND", [ENGINE_POOL]))
        found.append(_node(f"base-{letter}", zone, "base", "ON_DEMAND", []))
        found += [_node(f"spot-{letter}-{n}", zone, "stateless", "SPOT", []) for n in (0, 1)]
    return found


async def furnish(api: Api) -> None:
    """Make nodes, namespace, and the kinds of operators as these define them."""
    for node in nodes():
        await api.post("/api/v1/nodes", node)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    await api.post("/api/v1/namespaces", namespace)
    definitions = json.loads((build.programs() / build.KINDS).read_text("utf-8"))
    for definition in definitions:
        # Conversion asks the operator itself, which is not there; one version needs none.
        definition["spec"].pop("conversion", None)
        await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)


async def misspelled_kinds_are_refused(api: Api) -> list[str]:
    """The definitions are the operators' own: what they do not know, the API server refuses."""
    wrong = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "wrong", "namespace": NAMESPACE},
        "spec": {
            "refreshInterval": "1m",
            "secretStoreRef": {"name": "s", "kind": "Store"},
            "target": {"name": "t"},
        },
    }
    path = f"/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets?fieldValidation=Strict"
    refused = None
    try:
        await api.post(path, wrong)
    except ApiError as error:
        refused = error.code
    assert refused == 422, f"a kind of store that there is not: {refused}"
    return ["an ExternalSecret that names no kind of store: refused, by External Secrets' own schema"]
