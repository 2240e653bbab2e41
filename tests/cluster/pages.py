"""Pages of metrics as the pods would show them, and the list of pods that Prometheus reads them from.

kwok's pods run nothing. Each page has the series that its service's autoscaler goes by, under the labels that
the service's code gives them, with the pod's share of the load that the test sets: more pods, less for each.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.servers import free_port
from tests.cluster.api import NAMESPACE, Api, Object
from tests.cluster.metrics_api import Loads, Server
from tests.helm.charts import ROOT

__all__ = ["Pages", "rules"]

_STOP_DEADLINE_S: Final = 10.0
_WORKLOADS: Final = ("order", "market-data", "user")
# What of its requests a service counts by: name of the label -> value -> share.
_KINDS: Final = {
    "order": ("endpoint", {"order.place": 0.75, "order.cancel": 0.25}),
    "user": ("status", {"2xx": 0.9, "4xx": 0.1}),
}
# Bounds of a histogram: quick answers are below the second, slow ones below the fourth only.
_BOUNDS_S: Final = ("0.005", "0.01", "0.2", "0.5", "+Inf")
_QUICK, _SLOW = 1, 3


def rules() -> list[dict[str, Any]]:
    """The rules of the file that Terraform gives to the adapter's chart, as that hands them on."""
    values = yaml.safe_load((ROOT / "helm" / "prometheus-adapter-values.yaml").read_text("utf-8"))
    found: list[dict[str, Any]] = values["rules"]["custom"]
    return found


def _series() -> dict[str, str]:
    """Workload -> the series that its rule asks for."""
    found = [rule["seriesQuery"].partition("{")[0] for rule in rules()]
    return {
        workload: series
        for workload in _WORKLOADS
        for series in found
        if series.startswith(f"exchange_{workload.replace('-', '_')}_")
    }


class Pages:
    """`targets_url` is the list; what it lists leads to a page for each pod."""

    def __init__(self, api: Api, loads: Loads) -> None:
        self._api = api
        self._loads = loads
        self._port = free_port()
        self._series = _series()
        # The pods of the last list, by workload.
        self._pods: dict[str, list[str]] = {}
        # Requests by pod: quick ones, and slow ones.
        self._quick: dict[str, float] = defaultdict(float)
        self._slow: dict[str, float] = defaultdict(float)
        self._counted_at_s: dict[str, float] = {}

    @property
    def targets_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/targets"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until left."""
        app = Starlette(
            routes=[Route("/targets", self._targets), Route("/pods/{workload}/{pod}", self._page)]
        )
        server = Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=self._port, log_config=None, access_log=False, lifespan="off"
            )
        )
        task = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.wait({task}, timeout=_STOP_DEADLINE_S)

    async def _targets(self, _: Request) -> Response:
        """Every ready pod of a service that has a rule, by the labels that the operator gives to targets."""
        found = []
        for workload in self._series:
            pods = await self._api.ready_pods(workload)
            self._pods[workload] = [pod["metadata"]["name"] for pod in pods]
            found += [self._target(workload, pod) for pod in pods]
        return JSONResponse(found)

    def _target(self, workload: str, pod: Object) -> Object:
        name = pod["metadata"]["name"]
        labels = {
            "namespace": NAMESPACE,
            "service": workload,
            "pod": name,
            "container": pod["spec"]["containers"][0]["name"],
            "job": pod["metadata"]["labels"]["app.kubernetes.io/part-of"],
            # The name of the Service's port: the same word as one of ours.
            "endpoint": "http",
            "instance": f"{pod['status']['podIP']}:8080",
            "__metrics_path__": f"/pods/{workload}/{name}",
        }
        return {"targets": [f"127.0.0.1:{self._port}"], "labels": labels}

    async def _page(self, request: Request) -> Response:
        workload, pod = request.path_params["workload"], request.path_params["pod"]
        sharers = self._pods.get(workload, [])
        if pod not in sharers:
            return PlainTextResponse("such a pod is not ready", status_code=404)
        share = self._loads.own.get(workload, 0) / len(sharers)
        series = self._series[workload]
        if not series.endswith("_count"):
            return PlainTextResponse(f"{series} {share:.0f}\n")
        self._count(pod, share)
        label, kinds = _KINDS[workload]
        lines = []
        for value, part in kinds.items():
            counts = round(self._quick[pod] * part), round(self._slow[pod] * part)
            lines += _histogram(series.removesuffix("_count"), f'{label}="{value}"', *counts)
        return PlainTextResponse("".join(f"{line}\n" for line in lines))

    def _count(self, pod: str, requests_per_second: float) -> None:
        now_s = time.monotonic()
        counted = self._slow if self._loads.is_slow else self._quick
        counted[pod] += requests_per_second * (now_s - self._counted_at_s.get(pod, now_s))
        self._counted_at_s[pod] = now_s


def _histogram(name: str, label: str, quick: int, slow: int) -> list[str]:
    within = [
        (quick if number >= _QUICK else 0) + (slow if number >= _SLOW else 0)
        for number in range(len(_BOUNDS_S))
    ]
    buckets = [
        f'{name}_bucket{{{label},le="{bound}"}} {count}'
        for bound, count in zip(_BOUNDS_S, within, strict=True)
    ]
    total_s = quick * 0.01 + slow * 0.5
    return [*buckets, f"{name}_count{{{label}}} {quick + slow}", f"{name}_sum{{{label}}} {total_s:.2f}"]
