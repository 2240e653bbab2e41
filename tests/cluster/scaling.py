"""The autoscaler on a load curve: from two pods up, and down to two again; never for the engine."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from tests.cluster.api import until
from tests.cluster.deploying import Scene

# Streams of market-data at some seconds of the test: a quiet market, a rush, a decline.
_CURVE = ((0.0, 3_000), (6.0, 12_000), (14.0, 30_000), (30.0, 30_000), (38.0, 10_000), (46.0, 2_000))
_END_S = 50.0
_STEP_S = 0.5
_WAIT_S = 90.0
# What values.yaml lets a pod have.
_STREAMS_PER_POD = 4_000
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
    figure, pods = plt.subplots(figsize=(9, 4))
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
    plt.close(figure)
