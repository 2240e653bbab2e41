"""A lease kept by Kubernetes (coordination.k8s.io/v1): compare-and-set by the object's resource version.

Read with get, written with a merge patch that names the version it is meant for: labels that others have put
on the object stay. The role of the service account needs no more than these two verbs on this one name, and
`create` where nobody has made the object beforehand.
"""

import asyncio
import datetime
import os
import ssl
from pathlib import Path
from typing import Final, Self

import httpx
import msgspec

from exchange.ports.world import LeaseError, LeaseRecord

__all__ = ["KubernetesLease"]

# Where every pod finds who it is; the token is renewed there about once an hour.
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MESSAGE_SIZE_MAX: Final = 300


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str


class _Spec(msgspec.Struct, rename="camel"):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None


class _Lease(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)


class KubernetesLease:
    """The lease `name` in `namespace` of the API server at `url`.

    `deadline_ms` bounds each call as a whole. Kubernetes counts a lease's duration in whole seconds:
    what is written is rounded up, so a takeover may come later than asked for, never earlier.
    """

    def __init__(
        self, url: str, namespace: str, name: str, *, token_file: Path, ca_file: Path, deadline_ms: int
    ) -> None:
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._name = name
        self._url = url
        self._token_file = token_file
        self._ca_file = ca_file
        self._deadline_s = deadline_ms / 1000
        self._client: httpx.AsyncClient | None = None

    @classmethod
    def in_cluster(cls, place: str, *, deadline_ms: int) -> Self:
        """The lease at `place` ("<namespace>/<name>") of the cluster that this process is a pod of.

        Raises LeaseError when it is no pod or `place` is no such pair.
        """
        namespace, _, name = place.partition("/")
        if not namespace or not name or "/" in name:
            raise LeaseError(f"{place!r} is not <namespace>/<name>")
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            raise LeaseError("this process is no pod of Kubernetes: KUBERNETES_SERVICE_HOST is not set")
        url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return cls(
            url,
            namespace,
            name,
            token_file=_ACCOUNT / "token",
            ca_file=_ACCOUNT / "ca.crt",
            deadline_ms=deadline_ms,
        )

    async def read(self) -> LeaseRecord | None:
        """Return the record, None when there never was one. Raises LeaseError."""
        answer = await self._call("GET", f"{self._path}/{self._name}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return self._record(answer)

    async def write(self, holder: str, duration_ms: int, expected: LeaseRecord | None) -> LeaseRecord | None:
        """Replace `expected`; None when somebody else was quicker. Raises LeaseError."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        # Times are for people who look at the object; nobody decides by another machine's clock.
        spec: dict[str, object] = {
            "holderIdentity": holder or None,
            "leaseDurationSeconds": -(-duration_ms // 1000),
            "renewTime": now,
        }
        if expected is None or expected.holder != holder:
            spec["acquireTime"] = now
        if expected is None:
            metadata = {"name": self._name, "namespace": self._namespace}
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            answer = await self._call("POST", self._path, body)
        else:
            body = {"metadata": {"resourceVersion": expected.version}, "spec": spec}
            answer = await self._call("PATCH", f"{self._path}/{self._name}", body)
        if answer.status_code in (httpx.codes.CONFLICT, httpx.codes.NOT_FOUND):
            return None
        return self._record(answer)

    async def close(self) -> None:
        """Close the connection; a later call opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            async with asyncio.timeout(self._deadline_s):
                # Read anew each time: the token before this one is refused an hour after its end.
                token = self._token_file.read_text(encoding="ascii").strip()
                return await self._connected().request(
                    method,
                    path,
                    content=None if body is None else msgspec.json.encode(body),
                    headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
                )
        except (TimeoutError, OSError, ValueError, httpx.HTTPError) as error:
            # The next call connects anew, with the authority's certificate as it is then.
            await self.close()
            raise LeaseError(f"{self._url}: {str(error) or type(error).__name__}") from error

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            context = ssl.create_default_context(cafile=str(self._ca_file))
            self._client = httpx.AsyncClient(
                base_url=self._url, verify=context, trust_env=False, timeout=self._deadline_s
            )
        return self._client

    def _record(self, answer: httpx.Response) -> LeaseRecord:
        if not answer.is_success:
            said = answer.text[:_MESSAGE_SIZE_MAX]
            raise LeaseError(f"{self._namespace}/{self._name}: {answer.status_code} {said}")
        try:
            lease = msgspec.json.decode(answer.content, type=_Lease)
        except msgspec.DecodeError as error:
            raise LeaseError(f"{self._namespace}/{self._name}: {error}") from error
        duration_ms = (lease.spec.lease_duration_seconds or 0) * 1000
        return LeaseRecord(lease.spec.holder_identity or "", duration_ms, lease.metadata.resource_version)
