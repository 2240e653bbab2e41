"""What an install, an upgrade and a rollback must leave behind."""

import asyncio
import contextlib
import re
import shlex
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from infra.ready.looks import STEPS, Look
from tests.cluster.api import NAMESPACE, Api, Object, until
from tests.cluster.control_plane import ControlPlane
from tests.cluster.metrics_api import MetricsApi
from tests.cluster.own_metrics import OwnMetrics
from tests.cluster.release import RELEASE, Operator

SCALED = ("order", "market-data", "user")
SINGLE = ("projections-ledger", "projections-book", "projections-withdrawals", "archive", "auditor")
OLD_DIGEST = "sha256:" + "0123456789abcdef" * 4
NEW_DIGEST = "sha256:" + "fedcba9876543210" * 4
# Just below what the autoscaler wants a pod of order to use: 60 of 100 of half a core.
_BUSY_MILLICORES = 290
_WAIT_S = 60.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Scene:
    """What a scenario works with. Every scenario returns lines for the report, and raises AssertionError."""

    plane: ControlPlane
    api: Api
    operator: Operator
    metrics: MetricsApi
    own: OwnMetrics


def node_of(pod: Object) -> str:
    return str(pod["spec"]["nodeName"])


@contextlib.asynccontextmanager
async def watching_ready(api: Api, names: tuple[str, ...]) -> AsyncIterator[Callable[[], dict[str, int]]]:
    """Look ten times a second how many pods are ready; gives a function that tells the least of each."""
    least = {name: len(await api.ready_pods(name)) for name in names}

    async def look() -> None:
        while True:
            for name in names:
                least[name] = min(least[name], len(await api.ready_pods(name)))
            await asyncio.sleep(_POLL_S)

    task = asyncio.create_task(look())
    try:
        yield lambda: dict(least)
        # What kept it from looking is what the scenario must fail with.
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def install(scene: Scene) -> list[str]:
    """`helm install --wait` ends well; both hooks ran before anything else, and left nothing behind."""
    started_s = time.monotonic()
    await scene.operator.deploy()
    took_s = time.monotonic() - started_s
    for name in SCALED:
        await until(f"two pods of {name}", partial(_has, scene.api, name, 2), _WAIT_S)
    assert len(await scene.api.ready_pods("engine")) == 2
    for name in SINGLE:
        assert len(await scene.api.ready_pods(name)) == 1, name
    events = (await scene.api.get(f"/api/v1/namespaces/{NAMESPACE}/events"))["items"]
    created = {
        event["involvedObject"]["name"]: event["metadata"]["creationTimestamp"]
        for event in events
        if event["reason"] in ("Completed", "ScalingReplicaSet")
        and event["involvedObject"]["kind"] in ("Job", "Deployment")
    }
    assert created["migrations"] <= created["topics"] <= created["order"], created
    jobs = (await scene.api.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"))["items"]
    assert jobs == [], "a hook that succeeded is taken away"
    count = len((await scene.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods"))["items"])
    # As the operator does once it sees them.
    await scene.own.watch()
    return [f"`helm install --wait`: {took_s:.1f} s, {count} pods; migrations, then topics, then the rest."]


async def _has(api: Api, name: str, count: int) -> bool:
    return len(await api.ready_pods(name)) == count


async def placement(scene: Scene) -> list[str]:
    """Pods spread over zones; the engine's two on its own pool, on different hosts and zones."""
    zones = await scene.api.zones()
    lines = []
    for name in SCALED:
        nodes = [node_of(pod) for pod in await scene.api.ready_pods(name)]
        assert len({zones[node] for node in nodes}) == len(nodes), f"{name} shares a zone: {nodes}"
        assert not [node for node in nodes if node.startswith("engine-")], name
        assert all(node.startswith("spot-") for node in nodes), f"{name} prefers Spot: {nodes}"
        lines.append(f"{name}: {', '.join(sorted(nodes))}")
    engines = [node_of(pod) for pod in await scene.api.ready_pods("engine")]
    assert all(node.startswith("engine-") for node in engines), engines
    assert len({zones[node] for node in engines}) == 2, engines
    lines.append(f"engine: {', '.join(sorted(engines))}")
    for name in SINGLE:
        (pod,) = await scene.api.ready_pods(name)
        assert not node_of(pod).startswith("spot-"), f"{name} is on {node_of(pod)}"
    return lines


async def looks(scene: Scene) -> list[str]:
    """What `python -m infra.ready exchange` asks kubectl, as far as kwok plays it, finds nothing missing."""
    played = ("kubectl get hpa ", "kubectl get pod ")
    asked = [look for look in STEPS["exchange"] if look.command.startswith(played)]
    assert len(asked) == len(played)
    for look in asked:
        words = shlex.split(look.command)[1:]

        async def is_content(words: list[str] = words, look: Look = look) -> bool:
            return re.search(look.expected, await scene.operator.kubectl(*words)) is not None

        await until(look.missing, is_content, _WAIT_S)
    return [f"{len(asked)} of its looks are content: autoscalers have their metrics, two engines run"]


async def three_zones(scene: Scene) -> list[str]:
    """With six pods each zone has two."""
    zones = await scene.api.zones()
    scene.metrics.loads.cpu_millicores["order"] = 6 * _BUSY_MILLICORES
    await until("six pods of order", lambda: _has(scene.api, "order", 6), _WAIT_S)
    spread = Counter(zones[node_of(pod)] for pod in await scene.api.ready_pods("order"))
    assert sorted(spread.values()) == [2, 2, 2], spread
    del scene.metrics.loads.cpu_millicores["order"]
    await until("two pods of order", lambda: _has(scene.api, "order", 2), _WAIT_S)
    return [f"order with six pods: {dict(sorted(spread.items()))}"]


async def upgrade_and_rollback(scene: Scene) -> list[str]:
    """A new image goes round one engine at a time, the autoscaler's number stays, and back again."""
    scene.metrics.loads.cpu_millicores["order"] = 4 * _BUSY_MILLICORES
    await until("four pods of order", lambda: _has(scene.api, "order", 4), _WAIT_S)
    lines = []
    holder = await _holder(scene.api)
    assert holder, "the lease was taken before"
    for what, digest in (("upgrade", NEW_DIGEST), ("rollback", OLD_DIGEST)):
        started_s = time.monotonic()
        async with watching_ready(scene.api, (*SCALED, "engine")) as least:
            if what == "upgrade":
                await scene.operator.deploy("--set", f"global.image.digest={digest}")
            else:
                await scene.operator.helm("rollback", RELEASE, "1", "--wait", "--timeout", "150s")
            await until(f"{what} everywhere", partial(_all_run, scene.api, digest), _WAIT_S)
            fewest = least()
        assert fewest["engine"] >= 1, "one engine at a time"
        assert fewest["order"] >= 4, "no pod goes before its successor is ready"
        assert fewest["market-data"] >= 2
        assert await scene.api.replicas("order") == 4, "the autoscaler's number survives"
        assert await _holder(scene.api) == holder, "helm leaves the lease to whom it belongs"
        took_s = time.monotonic() - started_s
        lines.append(f"{what}: {took_s:.1f} s, fewest ready pods meanwhile {fewest}")
    del scene.metrics.loads.cpu_millicores["order"]
    return lines


async def rest(api: Api) -> None:
    """Wait until every service has as many pods as production has without load, all of them ready."""

    async def is_at_rest() -> bool:
        counts = [(await api.replicas(name), len(await api.ready_pods(name))) for name in SCALED]
        return counts == [(2, 2)] * len(SCALED)

    await until("the autoscaler has nothing left to do", is_at_rest, _WAIT_S)


async def _holder(api: Api) -> str:
    lease = await api.get(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/engine-0")
    return str(lease["spec"].get("holderIdentity", ""))


async def _all_run(api: Api, digest: str) -> bool:
    for name in (*SCALED, *SINGLE, "engine"):
        pods = await api.pods(name)
        if not pods or not all(pod["spec"]["containers"][0]["image"].endswith(digest) for pod in pods):
            return False
        if len(await api.ready_pods(name)) != len(pods):
            return False
    return True


async def helm_test(scene: Scene) -> list[str]:
    """`helm test` runs its Job to the end (kwok plays it: what it asks of services is not tried here)."""
    said = await scene.operator.helm("test", RELEASE, "--timeout", "60s")
    assert "Phase:          Succeeded" in said, said
    return ["`helm test`: the Job runs and ends"]
