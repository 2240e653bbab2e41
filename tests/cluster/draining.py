"""Nodes are drained by kubectl and by evictions; budgets let them, one pod at a time."""

import pytest

from tests.cluster.api import ApiError, until
from tests.cluster.deploying import SCALED, Scene, node_of, rest, watching_ready

_ENGINE_NODES = ("engine-a", "engine-b", "engine-c")
_WAIT_S = 60.0
_TOO_MANY_REQUESTS = 429


async def engine_budget(scene: Scene) -> list[str]:
    """While the standby is away the leader cannot be evicted, and can be when it is back."""
    api = scene.api
    first, second = [pod["metadata"]["name"] for pod in await api.ready_pods("engine")]
    for node in _ENGINE_NODES:
        await api.cordon(node, is_closed=True)
    await api.evict(first)

    async def is_pending() -> bool:
        pods = {pod["metadata"]["name"]: pod for pod in await api.pods("engine")}
        return first in pods and not pods[first]["spec"].get("nodeName")

    await until("the evicted engine waits for a node", is_pending, _WAIT_S)
    with pytest.raises(ApiError, match="disruption budget") as refused:
        await api.evict(second)
    assert refused.value.code == _TOO_MANY_REQUESTS
    for node in _ENGINE_NODES:
        await api.cordon(node, is_closed=False)

    async def are_two() -> bool:
        return len(await api.ready_pods("engine")) == 2

    back_s = await until("two engines", are_two, _WAIT_S)
    await until("the budget allows one again", lambda: _allowed(scene, "engine", 1), _WAIT_S)
    await api.evict(second)
    await until("two engines again", are_two, _WAIT_S)
    return [
        "engine: the second eviction was refused (429, disruption budget) while the first pod had no node; "
        f"with nodes it was back in {back_s:.1f} s and the second could go",
    ]


async def _allowed(scene: Scene, name: str, count: int) -> bool:
    path = f"/apis/policy/v1/namespaces/exchange/poddisruptionbudgets/{name}"
    status = (await scene.api.get(path)).get("status", {})
    return int(status.get("disruptionsAllowed", 0)) >= count


async def drain_a_zone(scene: Scene) -> list[str]:
    """`kubectl drain` of every node of a zone ends, and no service is ever without a ready pod."""
    # What an autoscaler is still taking away would never come back.
    await rest(scene.api)
    zones = await scene.api.zones()
    lost = zones[node_of((await scene.api.ready_pods("engine"))[0])]
    nodes = sorted(node for node, zone in zones.items() if zone == lost)
    started = {name: len(await scene.api.ready_pods(name)) for name in (*SCALED, "engine")}
    try:
        async with watching_ready(scene.api, (*SCALED, "engine")) as least:
            for node in nodes:
                await scene.operator.kubectl(
                    "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s"
                )

            async def is_whole() -> bool:
                return all(
                    [len(await scene.api.ready_pods(name)) >= count for name, count in started.items()]
                )

            await until("everything is back elsewhere", is_whole, _WAIT_S)
            fewest = least()
        for name in started:
            assert fewest[name] >= 1, f"{name} was gone"
            on = [node_of(pod) for pod in await scene.api.ready_pods(name)]
            assert not set(on) & set(nodes), name
        engines = [node_of(pod) for pod in await scene.api.ready_pods("engine")]
        assert len(set(engines)) == 2
    finally:
        for node in nodes:
            await scene.operator.kubectl("uncordon", node)
    return [f"{lost} drained ({', '.join(nodes)}): fewest ready pods meanwhile {fewest}"]
