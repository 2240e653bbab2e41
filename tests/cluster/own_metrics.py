"""Pods' own metrics, from the Prometheus adapter itself by the rules of helm/prometheus-adapter-values.yaml.

Prometheus is itself too. Played are the pods' pages of metrics, for kwok's pods run nothing: each shows what
its service shows, with its share of the load that the test sets.
"""

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import uvicorn
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from local.servers import ManagedProcess, free_port
from local.servers.process import Command, port_answers
from tests.cluster import build
from tests.cluster.api import NAMESPACE
from tests.cluster.control_plane import ControlPlane
from tests.cluster.metrics_api import Loads, Server, register
from tests.helm.charts import ROOT

__all__ = ["OwnMetrics", "rules"]

CUSTOM: Final = "custom.metrics.k8s.io"
# A rate is taken over a minute in production; as the autoscaler's own times it is shortened.
WINDOW: Final = ("[1m]", "[10s]")
_START_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 10.0
# What a service counts by endpoint is one metric of its pod.
_ENDPOINTS: Final = {"first": 0.75, "second": 0.25}


def rules() -> list[dict[str, Any]]:
    """The rules of the file that Terraform gives to the adapter's chart, as that hands them on."""
    values = yaml.safe_load((ROOT / "helm" / "prometheus-adapter-values.yaml").read_text("utf-8"))
    found: list[dict[str, Any]] = values["rules"]["custom"]
    return found


class OwnMetrics:
    """Pages of pods, a Prometheus that reads them, and the adapter that asks it."""

    def __init__(self, plane: ControlPlane, loads: Loads, folder: Path) -> None:
        self._plane = plane
        self._loads = loads
        self._folder = folder
        self._port = free_port()
        self._counted: dict[str, float] = defaultdict(float)
        self._counted_at_s: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve, and be known to the API server, until left. Raises ServerError."""
        self._folder.mkdir()
        app = Starlette(
            routes=[Route("/targets", self._targets), Route("/pods/{workload}/{pod}", self._page)]
        )
        pages = Server(
            uvicorn.Config(app, port=self._port, log_config=None, access_log=False, lifespan="off")
        )
        task = asyncio.create_task(pages.serve())
        try:
            async with self._prometheus() as prometheus_port, self._adapter(prometheus_port) as port:
                await register(self._plane.api, CUSTOM, port)
                yield
        finally:
            pages.should_exit = True
            await asyncio.wait({task}, timeout=_STOP_DEADLINE_S)

    @contextlib.asynccontextmanager
    async def _prometheus(self) -> AsyncIterator[int]:
        port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {
                    "job_name": "exchange",
                    "http_sd_configs": [
                        {"url": f"http://127.0.0.1:{self._port}/targets", "refresh_interval": "1s"}
                    ],
                }
            ],
        }
        file = self._folder / "prometheus.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        arguments = [
            f"--config.file={file}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        async with self._running("prometheus", arguments, port):
            yield port

    @contextlib.asynccontextmanager
    async def _adapter(self, prometheus_port: int) -> AsyncIterator[int]:
        port, files, kubeconfig = free_port(), self._plane.files, self._plane.kubeconfig
        file = self._folder / "rules.json"
        file.write_text(json.dumps({"rules": rules()}).replace(*WINDOW), encoding="utf-8")
        arguments = [
            f"--config={file}",
            f"--prometheus-url=http://127.0.0.1:{prometheus_port}",
            "--metrics-relist-interval=1s",
            # Series of which nothing was heard for so long are not listed.
            "--metrics-max-age=10s",
            f"--lister-kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={files.certificate}",
            f"--tls-private-key-file={files.key}",
        ]
        async with self._running("prometheus-adapter", arguments, port):
            yield port

    @contextlib.asynccontextmanager
    async def _running(self, name: str, arguments: list[str], port: int) -> AsyncIterator[None]:
        command = Command([str(build.programs() / name), *arguments], program=name, marker=str(self._folder))
        process = await ManagedProcess.start(name, self._folder, command)
        try:
            await process.wait_ready(lambda: port_answers(port), _START_DEADLINE_S)
            yield
        finally:
            await process.stop(_STOP_DEADLINE_S)

    async def _targets(self, _: Request) -> Response:
        """Every ready pod of a service that has a rule, by the labels that the operator's monitors give."""
        found = []
        for workload in _series():
            for pod in await self._plane.api.ready_pods(workload):
                name = pod["metadata"]["name"]
                labels = {"namespace": NAMESPACE, "pod": name, "__metrics_path__": f"/pods/{workload}/{name}"}
                found.append({"targets": [f"127.0.0.1:{self._port}"], "labels": labels})
        return JSONResponse(found)

    async def _page(self, request: Request) -> Response:
        workload, pod = request.path_params["workload"], request.path_params["pod"]
        series = _series()[workload]
        sharers = max(1, len(await self._plane.api.ready_pods(workload)))
        share = self._loads.own.get(workload, 0) / sharers
        if not series.endswith("_count"):
            return PlainTextResponse(f"{series} {share:.0f}\n")
        now_s = time.monotonic()
        self._counted[pod] += share * (now_s - self._counted_at_s.get(pod, now_s))
        self._counted_at_s[pod] = now_s
        lines = [
            f'{series}{{endpoint="{endpoint}"}} {self._counted[pod] * part:.0f}\n'
            for endpoint, part in _ENDPOINTS.items()
        ]
        return PlainTextResponse("".join(lines))


def _series() -> dict[str, str]:
    """Workload -> the series that its rule asks for."""
    found = [rule["seriesQuery"].partition("{")[0] for rule in rules()]
    workloads = ("order", "market-data", "user")
    return {
        workload: series
        for workload in workloads
        for series in found
        if series.startswith(f"exchange_{workload.replace('-', '_')}_")
    }
