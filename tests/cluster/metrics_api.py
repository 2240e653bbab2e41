"""The two metrics APIs that an autoscaler asks, with loads that the test sets.

It stands behind APIServices, as metrics-server and the Prometheus adapter do. The load of a workload is a
total, shared evenly by the pods that are ready: more pods, less for each.
"""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.servers import free_port
from tests.certificates import Files
from tests.cluster.api import NAMESPACE, Api, Object

_METRICS, _CUSTOM = "metrics.k8s.io", "custom.metrics.k8s.io"
_QUIET_CPU_MILLICORES = 20


@dataclass
class Loads:
    """Total load by workload: cores in thousandths, and its own metric."""

    cpu_millicores: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class MetricsApi:
    """The server; `loads` may be changed at any time."""

    def __init__(self, api: Api) -> None:
        self.loads = Loads()
        self._api = api

    def _app(self) -> Starlette:
        own = f"/apis/{_CUSTOM}/v1beta1/namespaces/{{namespace}}/pods/{{pod}}/{{metric}}"
        return Starlette(
            routes=[
                Route(f"/apis/{_METRICS}/v1beta1", self._resources(_METRICS, "pods", "PodMetrics")),
                Route(f"/apis/{_CUSTOM}/v1beta1", self._resources(_CUSTOM, "pods/load", "MetricValueList")),
                Route(f"/apis/{_METRICS}/v1beta1/namespaces/{{namespace}}/pods", self._cpu),
                Route(own, self._own),
            ]
        )

    @contextlib.asynccontextmanager
    async def serving(self, files: Files) -> AsyncIterator[None]:
        """Serve, and be known to the API server, until left."""
        port = free_port()
        server = _Server(
            uvicorn.Config(
                self._app(),
                host="127.0.0.1",
                port=port,
                ssl_certfile=str(files.certificate),
                ssl_keyfile=str(files.key),
                log_config=None,
                access_log=False,
                lifespan="off",
            )
        )
        task = asyncio.create_task(server.serve())
        try:
            await self._register(port)
            yield
        finally:
            server.should_exit = True
            await asyncio.wait({task}, timeout=10)

    async def _register(self, port: int) -> None:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "metrics", "namespace": "kube-system"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
        await self._api.post("/api/v1/namespaces/kube-system/services", service)
        for group in (_METRICS, _CUSTOM):
            registration = {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": f"v1beta1.{group}"},
                "spec": {
                    "group": group,
                    "version": "v1beta1",
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": {"name": "metrics", "namespace": "kube-system", "port": port},
                },
            }
            await self._api.post("/apis/apiregistration.k8s.io/v1/apiservices", registration)

    async def _sharers(self, request: Request) -> tuple[str, list[Object]]:
        """Workload and ready pods that the selector of a question is about."""
        selector = request.query_params["labelSelector"]
        labels = dict(part.split("=", 1) for part in selector.split(","))
        name = labels["app.kubernetes.io/name"]
        return name, await self._api.ready_pods(name)

    async def _cpu(self, request: Request) -> Response:
        name, pods = await self._sharers(request)
        total = self.loads.cpu_millicores.get(name, _QUIET_CPU_MILLICORES * len(pods))
        usage = {"cpu": f"{total // max(1, len(pods))}m", "memory": "200Mi"}
        items = [
            {
                "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "labels")},
                "timestamp": _now(),
                "window": "15s",
                "containers": [{"name": pod["spec"]["containers"][0]["name"], "usage": usage}],
            }
            for pod in pods
        ]
        return JSONResponse(
            {"kind": "PodMetricsList", "apiVersion": f"{_METRICS}/v1beta1", "metadata": {}, "items": items}
        )

    async def _own(self, request: Request) -> Response:
        name, pods = await self._sharers(request)
        metric = request.path_params["metric"]
        # What no pod of ours tells under this name is nobody's metric.
        if not metric.startswith(f"exchange_{name.replace('-', '_')}_"):
            return JSONResponse({"kind": "Status", "code": 404}, status_code=404)
        value = str(self.loads.own.get(name, 0) // max(1, len(pods)))
        items = [
            {
                "describedObject": {
                    "kind": "Pod",
                    "namespace": NAMESPACE,
                    "name": pod["metadata"]["name"],
                    "apiVersion": "/v1",
                },
                "metricName": metric,
                "timestamp": _now(),
                "value": value,
                "selector": None,
            }
            for pod in pods
        ]
        return JSONResponse(
            {"kind": "MetricValueList", "apiVersion": f"{_CUSTOM}/v1beta1", "metadata": {}, "items": items}
        )

    def _resources(self, group: str, name: str, kind: str):  # type: ignore[no-untyped-def]
        async def answer(_: Request) -> Response:
            resource = {
                "name": name,
                "namespaced": True,
                "kind": kind,
                "verbs": ["get", "list"],
                "singularName": "",
            }
            return JSONResponse(
                {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": f"{group}/v1beta1",
                    "resources": [resource],
                }
            )

        return answer


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
