"""The Kubernetes API as the cluster test uses it: JSON over HTTPS, every call with a deadline."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]
NAMESPACE = "exchange"
_DEADLINE_S = 20.0
_POLL_S = 0.25


class ApiError(Exception):
    """The API server refused. `code` is its HTTP status."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text[:500]}")
        self.code = code


class Api:
    """The API server as one user sees it."""

    def __init__(self, url: str, token: str, authority: Path) -> None:
        self._url = url
        self._token = token
        self._authority = authority
        self._opened: httpx.AsyncClient | None = None

    def as_account(self, token: str) -> "Api":
        """The same server as another user sees it."""
        return Api(self._url, token, self._authority)

    async def is_ready(self) -> bool:
        """Whether the server says so."""
        try:
            return (await self._client.get("/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    async def get(self, path: str) -> Any:
        return await self._call("GET", path)

    async def post(self, path: str, body: Object) -> Any:
        return await self._call("POST", path, body)

    async def patch(self, path: str, body: Object) -> Any:
        return await self._call("PATCH", path, body)

    async def delete(self, path: str) -> Any:
        return await self._call("DELETE", path)

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    async def token_of(self, account: str, namespace: str = NAMESPACE) -> str:
        """A token of a service account, as the kubelet mounts it."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        return str((await self.post(path, body))["status"]["token"])

    async def pods(self, name: str) -> list[Object]:
        """The pods of a workload that are not on their way out."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/name={name}"
        found = (await self.get(path))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    async def ready_pods(self, name: str) -> list[Object]:
        return [pod for pod in await self.pods(name) if is_ready(pod)]

    async def zones(self) -> dict[str, str]:
        """Node -> zone."""
        nodes = (await self.get("/api/v1/nodes"))["items"]
        return {
            node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
            for node in nodes
        }

    async def replicas(self, name: str) -> int:
        """How many pods the Deployment is told to have."""
        found = await self.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}")
        return int(found["spec"]["replicas"])

    async def evict(self, pod: str) -> None:
        """Ask for the end of a pod as a drain does. Raises ApiError 429 when a budget forbids it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": NAMESPACE},
        }
        await self.post(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction", body)

    async def cordon(self, node: str, *, is_closed: bool) -> None:
        await self.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": is_closed}})

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            self._opened = httpx.AsyncClient(
                base_url=self._url,
                headers={"Authorization": f"Bearer {self._token}"},
                verify=ssl.create_default_context(cafile=str(self._authority)),
                trust_env=False,
                timeout=_DEADLINE_S,
            )
        return self._opened

    async def _call(self, method: str, path: str, body: Object | None = None) -> Any:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = await self._client.request(method, path, json=body, headers={"Content-Type": kind})
        if not answer.is_success:
            raise ApiError(answer.status_code, answer.text)
        return answer.json()


def is_ready(pod: Object) -> bool:
    """Whether a pod counts for its Service."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


async def until(what: str, holds: Callable[[], Awaitable[bool]], deadline_s: float) -> float:
    """Wait until it holds; the seconds it took. Raises AssertionError after `deadline_s`."""
    started_s = time.monotonic()
    while not await holds():
        waited_s = time.monotonic() - started_s
        assert waited_s < deadline_s, f"{what}: not within {deadline_s:g} s"
        await asyncio.sleep(_POLL_S)
    return time.monotonic() - started_s
