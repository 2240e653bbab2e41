"""The autoscaler under load: from two pods up, and down to two again; never for the engine."""

import asyncio
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.api import NAMESPACE, until
from tests.cluster.deploying import Scene

# Streams of market-data at some seconds of the test: a quiet market, a rush, a decline.
_CURVE = ((0.0, 3_000), (6.0, 12_000), (14.0, 30_000), (30.0, 30_000), (38.0, 10_000), (46.0, 2_000))
_END_S = 50.0
_STEP_S = 0.5
_WAIT_S = 90.0
# What values.yaml lets a pod have.
_STREAMS_PER_POD = 4_000
# Requests a second that order gets, and what values.yaml lets a pod have.
_REQUESTS, _REQUESTS_PER_POD = 1_400, 250
# A rate is one over a minute: it takes that long to be what it is, up and down.
_RATE_WAIT_S = 180.0
# Longer than the autoscaler would wait for before it takes pods away.
_LOOK_S = 15.0
# A tenth more or less for each pod is near enough for the autoscaler: 30,000 streams are 7.5 pods.
_PEAK_PODS = (7, 8)


@dataclass
class Curve:
    """What was seen, second by second."""

    at_s: list[float] = field(default_factory=list)
    streams: list[int] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)


def _streams_at(second: float) -> int:
    """Between the points of the curve a straight line."""
    previous = _CURVE[0]
    for point in _CURVE:
        if second < point[0]:
            share = (second - previous[0]) / (point[0] - previous[0])
            return round(previous[1] + share * (point[1] - previous[1]))
        previous = point
    return previous[1]


async def connections(scene: Scene, plot: Path) -> list[str]:
    """market-data follows its stream connections: 2 -> peak -> 2, and the other services stay as they are."""
    curve = Curve()
    started_s = time.monotonic()

    async def see(streams: int) -> None:
        scene.metrics.loads.own["market-data"] = streams
        curve.at_s.append(time.monotonic() - started_s)
        curve.streams.append(streams)
        curve.wanted.append(await scene.api.replicas("market-data"))
        curve.ready.append(len(await scene.api.ready_pods("market-data")))
        await asyncio.sleep(_STEP_S)

    while (now_s := time.monotonic() - started_s) < _END_S:
        await see(_streams_at(now_s))
    while curve.ready[-1] != 2:
        assert time.monotonic() - started_s < _END_S + _WAIT_S, f"still {curve.ready[-1]} pods"
        await see(_CURVE[-1][1])
    _draw(curve, plot)
    assert curve.ready[0] == min(curve.wanted) == 2, "never below two"
    assert max(curve.ready) in _PEAK_PODS, max(curve.ready)
    for name in ("order", "user"):
        assert await scene.api.replicas(name) == 2, name
    peak_s = curve.at_s[curve.ready.index(max(curve.ready))]
    return [
        f"market-data: 2 -> {max(curve.ready)} -> 2 pods for {min(curve.streams)} .. {max(curve.streams)} "
        f"streams, {_STREAMS_PER_POD} a pod; peak after {peak_s:.0f} s, two after {curve.at_s[-1]:.0f} s",
        f"![pods over load]({plot.name})",
    ]


async def requests(scene: Scene) -> list[str]:
    """order follows the rate of its requests, which is one over a minute; nobody else does."""
    wanted = math.ceil(_REQUESTS / _REQUESTS_PER_POD)
    most = 2

    async def has(count: int) -> bool:
        nonlocal most
        ready = len(await scene.api.ready_pods("order"))
        most = max(most, ready)
        return ready == count

    scene.metrics.loads.own["order"] = _REQUESTS
    up_s = await until(f"{wanted} pods of order", lambda: has(wanted), _RATE_WAIT_S)
    # Each pod's rate is still on its way to its share: none of that is a reason for more pods.
    await asyncio.sleep(_LOOK_S)
    assert await has(wanted), "it stays there"
    scene.metrics.loads.own["order"] = 0
    down_s = await until("two pods of order", lambda: has(2), _RATE_WAIT_S)
    assert most == wanted, f"it went up to {most}"
    for name in ("market-data", "user"):
        assert await scene.api.replicas(name) == 2, name
    return [
        f"order: 2 -> {wanted} -> 2 pods for {_REQUESTS} requests a second, {_REQUESTS_PER_POD} a pod, "
        f"by the rate over a minute: up in {up_s:.0f} s, down in {down_s:.0f} s"
    ]


async def unseen(scene: Scene) -> list[str]:
    """Without Prometheus no pod is taken away, CPU still adds some, and afterwards all goes on."""
    loads = scene.metrics.loads

    async def has(count: int) -> bool:
        return len(await scene.api.ready_pods("market-data")) == count

    loads.own["market-data"] = 5 * _STREAMS_PER_POD
    await until("five pods of market-data", lambda: has(5), _WAIT_S)
    await scene.own.stop_prometheus()
    loads.own["market-data"] = 0
    said_s = await until("the autoscaler says so", lambda: _is_blind(scene, "market-data"), _WAIT_S)
    await asyncio.sleep(_LOOK_S)
    assert await has(5), "a metric that is missing is no reason to take pods away"
    # Eight pods of half a core each, at 58 of 100.
    loads.cpu_millicores["market-data"] = 8 * 290
    await until("eight pods of market-data", lambda: has(8), _WAIT_S)
    loads.cpu_millicores.clear()
    await scene.own.start_prometheus()
    down_s = await until("two pods of market-data", lambda: has(2), _WAIT_S)
    return [
        "market-data kept its 5 pods while Prometheus was away and nobody was connected; the autoscaler "
        f"said FailedGetPodsMetric after {said_s:.0f} s; CPU took it to 8; with Prometheus again two "
        f"after {down_s:.0f} s"
    ]


async def _is_blind(scene: Scene, name: str) -> bool:
    path = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/{name}"
    conditions = (await scene.api.get(path))["status"]["conditions"]
    said = {each["type"]: (each["status"], each["reason"]) for each in conditions}
    return said["ScalingActive"] == ("False", "FailedGetPodsMetric")


async def cpu(scene: Scene) -> list[str]:
    """user follows its CPU, up to its bound and no further; the engine follows nothing."""
    scene.metrics.loads.cpu_millicores["user"] = 100_000
    scene.metrics.loads.cpu_millicores["engine"] = 100_000

    async def has(count: int) -> bool:
        return len(await scene.api.ready_pods("user")) == count

    up_s = await until("user at its bound", lambda: has(6), _WAIT_S)
    await asyncio.sleep(3)
    assert await has(6), "never above its bound"
    assert len(await scene.api.ready_pods("engine")) == 2
    scene.metrics.loads.cpu_millicores.clear()
    down_s = await until("user at two", lambda: has(2), _WAIT_S)
    scalers = (await scene.api.get("/apis/autoscaling/v2/horizontalpodautoscalers"))["items"]
    assert {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers} == {
        "order",
        "market-data",
        "user",
    }
    return [f"user on CPU: 2 -> 6 (its bound) in {up_s:.0f} s -> 2 in {down_s:.0f} s; the engine stays at 2"]


def _draw(curve: Curve, plot: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, pods = pyplot.subplots(figsize=(9, 4))
    load = pods.twinx()
    load.fill_between(curve.at_s, curve.streams, color="tab:blue", alpha=0.15, linewidth=0)
    load.set_ylabel("stream connections")
    load.set_ylim(0, max(curve.streams) * 1.3)
    pods.step(
        curve.at_s,
        curve.wanted,
        where="post",
        color="tab:orange",
        label="pods wanted",
        linewidth=5,
        alpha=0.5,
    )
    pods.step(curve.at_s, curve.ready, where="post", color="tab:green", label="pods ready")
    pods.set_ylabel("pods of market-data")
    pods.set_xlabel("seconds (the autoscaler's own times shortened, see tests/cluster/values.yaml)")
    pods.set_ylim(0, max(curve.ready) + 2)
    pods.legend(loc="upper left")
    figure.tight_layout()
    figure.savefig(plot, dpi=110)
    pyplot.close(figure)
