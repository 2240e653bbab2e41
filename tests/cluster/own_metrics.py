"""Pods' own metrics, from the Prometheus adapter itself by the rules of helm/prometheus-adapter-values.yaml.

Prometheus is itself too. Played are the pods' pages (tests/cluster/pages.py), and the operator: what it
makes of the chart's ServiceMonitor and PrometheusRule for Prometheus is made here, as its documents have it.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from local.servers import ManagedProcess, free_port
from local.servers.process import Command, port_answers
from tests.cluster import build
from tests.cluster.api import NAMESPACE, Object
from tests.cluster.control_plane import ControlPlane, write_kubeconfig
from tests.cluster.metrics_api import Loads, register
from tests.cluster.pages import Pages, rules

__all__ = ["CUSTOM", "OwnMetrics"]

CUSTOM: Final = "custom.metrics.k8s.io"
# Where the platform layer installs it, and under which account.
_PLACE: Final = ("monitoring", "prometheus-adapter")
_START_DEADLINE_S: Final = 60.0
_STOP_DEADLINE_S: Final = 10.0
_ASK_DEADLINE_S: Final = 10.0
_OPERATORS: Final = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_PATHS: Final = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "RoleBinding": f"{_RBAC}/namespaces/{{namespace}}/rolebindings",
}


class OwnMetrics:
    """Pages of pods, a Prometheus that reads them, and the adapter that asks it."""

    def __init__(self, plane: ControlPlane, loads: Loads, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._pages = Pages(plane.api, loads)
        self._port = free_port()
        self._prometheus: ManagedProcess | None = None
        self._config: dict[str, Any] = {}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve, and be known to the API server, until left. Raises ServerError."""
        self._folder.mkdir()
        async with self._pages.serving():
            try:
                await self.start_prometheus()
                async with self._adapter() as port:
                    await register(self._plane.api, CUSTOM, _PLACE, port)
                    yield
            finally:
                await self.stop_prometheus()

    async def start_prometheus(self) -> None:
        """With what it had before, at the same address. Raises ServerError."""
        (self._folder / "prometheus.json").write_text(json.dumps(self._config), encoding="utf-8")
        arguments = [
            f"--config.file={self._folder / 'prometheus.json'}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--web.enable-lifecycle",
        ]
        self._prometheus = await self._start(build.programs() / "prometheus", arguments, self._port)

    async def stop_prometheus(self) -> None:
        """Nobody answers the adapter from now on."""
        if self._prometheus is not None:
            await self._prometheus.stop(_STOP_DEADLINE_S)
        self._prometheus = None

    async def watch(self) -> None:
        """Have Prometheus do what the release's ServiceMonitor and PrometheusRule say."""
        monitor = (await self._plane.api.get(f"{_OPERATORS}/servicemonitors/exchange"))["spec"]
        alerts = (await self._plane.api.get(f"{_OPERATORS}/prometheusrules/exchange"))["spec"]
        (self._folder / "alerts.json").write_text(json.dumps({"groups": alerts["groups"]}), encoding="utf-8")
        (endpoint,) = monitor["endpoints"]
        self._config = {
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(self._folder / "alerts.json")],
            "scrape_configs": [
                {
                    "job_name": f"serviceMonitor/{NAMESPACE}/exchange/0",
                    "honor_labels": endpoint.get("honorLabels", False),
                    "scrape_interval": endpoint["interval"],
                    "scrape_timeout": endpoint["scrapeTimeout"],
                    "http_sd_configs": [{"url": self._pages.targets_url, "refresh_interval": "1s"}],
                    # The operator puts them behind its own.
                    "relabel_configs": [_words(each) for each in endpoint.get("relabelings", [])],
                    "metric_relabel_configs": [
                        _words(each) for each in endpoint.get("metricRelabelings", [])
                    ],
                }
            ],
        }
        (self._folder / "prometheus.json").write_text(json.dumps(self._config), encoding="utf-8")
        async with self._client() as client:
            answer = await client.post("/-/reload")
            assert answer.status_code == httpx.codes.OK, answer.text

    async def alerts(self) -> dict[str, Object]:
        """Name -> rule, as Prometheus has read and judged it."""
        groups = (await self._ask("/api/v1/rules"))["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    async def query(self, expression: str) -> list[Object]:
        """Series with their values of now."""
        found: list[Object] = (await self._ask("/api/v1/query", query=expression))["result"]
        return found

    async def _ask(self, path: str, **arguments: str) -> Any:
        async with self._client() as client:
            answer = await client.get(path, params=arguments)
            assert answer.status_code == httpx.codes.OK, answer.text
            return answer.json()["data"]

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._port}", trust_env=False, timeout=_ASK_DEADLINE_S
        )

    @contextlib.asynccontextmanager
    async def _adapter(self) -> AsyncIterator[int]:
        """With the flags of its chart, but for where it is; it asks the API server as its own account."""
        port = free_port()
        kubeconfig = await self._account()
        file = self._folder / "config.yaml"
        file.write_text(json.dumps({"rules": rules()}), encoding="utf-8")
        arguments = [
            f"--config={file}",
            f"--prometheus-url=http://127.0.0.1:{self._port}",
            # Every minute in the chart, which is as far as it looks back then.
            "--metrics-relist-interval=5s",
            "--metrics-max-age=1m",
            f"--lister-kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={self._folder / 'certificate'}",
        ]
        process = await self._start(build.adapter(), arguments, port)
        try:
            yield port
        finally:
            await process.stop(_STOP_DEADLINE_S)

    async def _account(self) -> Path:
        """Make the account with its rights; a file with its token."""
        namespace, name = _PLACE
        api = self._plane.api
        await api.post(
            "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        for definition in json.loads((build.programs() / build.ADAPTER_RIGHTS).read_text("utf-8")):
            # Some name one although they are the whole cluster's.
            within = definition["metadata"].pop("namespace", "")
            await api.post(_PATHS[definition["kind"]].format(namespace=within), definition)
        token = await api.token_of(name, namespace)
        return write_kubeconfig(self._folder / "kubeconfig", self._plane.url, token, self._plane.files)

    async def _start(self, program: Path, arguments: list[str], port: int) -> ManagedProcess:
        command = Command([str(program), *arguments], program=program.name, marker=str(self._folder))
        process = await ManagedProcess.start(program.name, self._folder, command)
        await process.wait_ready(lambda: port_answers(port), _START_DEADLINE_S)
        return process


def _words(relabeling: Object) -> Object:
    """The operator's "targetLabel" is Prometheus' "target_label"; actions are written small."""
    found = {
        re.sub(r"([A-Z])", lambda hit: f"_{hit[1].lower()}", key): value for key, value in relabeling.items()
    }
    return found | ({"action": found["action"].lower()} if "action" in found else {})
