"""What metrics-server tells an autoscaler, with loads that the test sets.

The load of a workload is a total, shared evenly by the pods that are ready: more pods, less for each. Pods'
own metrics come from the Prometheus adapter itself (tests/cluster/own_metrics.py).
"""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass, field
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.servers import free_port
from tests.certificates import Files
from tests.cluster.api import Api, Object

METRICS: Final = "metrics.k8s.io"
_QUIET_CPU_MILLICORES = 20


@dataclass
class Loads:
    """Total load by workload: cores in thousandths, and by its own metric (streams, or requests a second)."""

    cpu_millicores: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    # Requests take half a second instead of a hundredth.
    is_slow: bool = False


class Server(uvicorn.Server):
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
        return Starlette(
            routes=[
                Route(f"/apis/{METRICS}/v1beta1", self._resources),
                Route(f"/apis/{METRICS}/v1beta1/namespaces/{{namespace}}/pods", self._cpu),
            ]
        )

    @contextlib.asynccontextmanager
    async def serving(self, files: Files) -> AsyncIterator[None]:
        """Serve, and be known to the API server, until left."""
        port = free_port()
        server = Server(
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
            await register(self._api, METRICS, ("kube-system", "metrics-server"), port)
            yield
        finally:
            server.should_exit = True
            await asyncio.wait({task}, timeout=10)

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
            {"kind": "PodMetricsList", "apiVersion": f"{METRICS}/v1beta1", "metadata": {}, "items": items}
        )

    async def _resources(self, _: Request) -> Response:
        resource = {
            "name": "pods",
            "namespaced": True,
            "kind": "PodMetrics",
            "verbs": ["get", "list"],
            "singularName": "",
        }
        group = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{METRICS}/v1beta1"}
        return JSONResponse({**group, "resources": [resource]})


async def register(api: Api, group: str, place: tuple[str, str], port: int) -> None:
    """From now on the API server asks what is at the port about this group, as the Service at `place`."""
    namespace, name = place
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    await api.post(f"/api/v1/namespaces/{namespace}/services", service)
    registration = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{group}"},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            # As both charts have it: they make their certificates themselves.
            "insecureSkipTLSVerify": True,
            "service": {"name": name, "namespace": namespace, "port": port},
        },
    }
    await api.post("/apis/apiregistration.k8s.io/v1/apiservices", registration)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
