"""A lease in Kubernetes, against a small server that keeps one object as the API server does.

`make cluster-test` says the same of the real one (tests/cluster/lease.py).
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import certifi
import pytest

from exchange.adapters.kubernetes.lease import KubernetesLease
from exchange.ports.world import LeaseError, LeaseRecord
from exchange.process.config import Settings, SettingsError
from matching_engine import main
from matching_engine.leadership import Elector

DURATION_MS = 3_000
# Of who waits for an answer that comes; on a full machine half a second is none.
PATIENT_MS = 60_000
SILENT_DEADLINE_MS = 500
TOKEN = "a-token"
PATH = "/apis/coordination.k8s.io/v1/namespaces/exchange/leases"


class Keeper:
    """One Lease over HTTP/1.1, with resource versions, and whatever faults a test asks for."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, object]] | None = None
        self.version = 100
        self.is_silent = False
        self.garbage: bytes | None = None
        self.seen: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                line, *rest = head.decode().split("\r\n")
                method, path, _ = line.split(" ")
                headers = dict(part.lower().split(": ", 1) for part in rest if part)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if self.is_silent:
                    await asyncio.sleep(60)
                self.seen.append(f"{method} {path}")
                given = json.loads(body) if body else None
                answer: object
                if headers.get("authorization") != f"bearer {TOKEN}":
                    code, answer = 401, {"message": "Unauthorized"}
                else:
                    code, answer = self.answer(method, path, given)
                text = self.garbage or json.dumps(answer).encode()
                writer.write(f"HTTP/1.1 {code} X\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(
        self, method: str, path: str, given: dict[str, dict[str, object]] | None
    ) -> tuple[int, object]:
        if "/leases/other" in path:
            return 403, {"message": "leases other is forbidden"}
        if method == "POST":
            if self.kept is not None:
                return 409, {"reason": "AlreadyExists"}
            self.kept = {"metadata": {}, "spec": {}}
        if self.kept is None:
            return 404, {"reason": "NotFound"}
        if given is not None:
            wanted = given["metadata"].get("resourceVersion")
            if method == "PATCH" and wanted != self.kept["metadata"]["resourceVersion"]:
                return 409, {"reason": "Conflict"}
            spec = {**self.kept["spec"], **given["spec"]}
            self.version += 1
            self.kept = {
                "metadata": {**self.kept["metadata"], "resourceVersion": str(self.version)},
                "spec": {name: value for name, value in spec.items() if value is not None},
            }
        return 200, self.kept


class Place:
    """A keeper and the files of a pod's service account."""

    def __init__(self, keeper: Keeper, url: str, folder: Path) -> None:
        self.keeper = keeper
        self.url = url
        self.token_file = folder / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        self.leases: list[KubernetesLease] = []

    def lease(self, name: str = "engine-0", deadline_ms: int = PATIENT_MS) -> KubernetesLease:
        self.leases.append(
            KubernetesLease(
                self.url,
                "exchange",
                name,
                token_file=self.token_file,
                ca_file=Path(certifi.where()),
                deadline_ms=deadline_ms,
            )
        )
        return self.leases[-1]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    keeper = Keeper()
    server = await asyncio.start_server(keeper.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    place = Place(keeper, f"http://127.0.0.1:{port}", tmp_path)
    yield place
    for lease in place.leases:
        await lease.close()
    server.close()


async def test_a_lease_that_nobody_made_is_made_once(place: Place) -> None:
    a, b = place.lease(), place.lease()
    assert await a.read() is None
    made = await a.write("a", DURATION_MS, None)
    assert made == LeaseRecord("a", DURATION_MS, "101")
    assert await b.write("b", DURATION_MS, None) is None
    assert await b.read() == made


async def test_one_of_two_writes_for_one_version_wins(place: Place) -> None:
    a, b = place.lease(), place.lease()
    seen = await a.write("", DURATION_MS, None)
    written = await asyncio.gather(a.write("a", DURATION_MS, seen), b.write("b", DURATION_MS, seen))
    assert [record is None for record in written].count(True) == 1
    assert await a.read() == next(record for record in written if record is not None)


async def test_a_lease_that_was_deleted_is_not_written(place: Place) -> None:
    lease = place.lease()
    seen = await lease.write("a", DURATION_MS, None)
    place.keeper.kept = None
    assert await lease.write("a", DURATION_MS, seen) is None


async def test_a_free_lease_is_nobody_s_and_a_duration_is_rounded_up(place: Place) -> None:
    lease = place.lease()
    seen = await lease.write("a", 1_001, None)
    assert seen is not None
    assert seen.duration_ms == 2_000
    freed = await lease.write("", 1_000, seen)
    assert freed == LeaseRecord("", 1_000, "102")
    assert place.keeper.kept is not None
    # Kubernetes refuses an empty name; nobody is told by leaving it out.
    assert "holderIdentity" not in place.keeper.kept["spec"]


async def test_electors_take_renew_and_resign(place: Place) -> None:
    now_ms = 0

    def elector(holder: str) -> Elector:
        return Elector(place.lease(), holder, duration_ms=DURATION_MS, clock_ms=lambda: now_ms)

    a, b = elector("a"), elector("b")
    assert await a.campaign()
    assert not await b.campaign()
    now_ms += DURATION_MS - 1
    assert await a.campaign()
    now_ms += 1
    assert not await b.campaign()
    now_ms += DURATION_MS
    assert await b.campaign()
    assert not await a.campaign()
    await b.resign()
    assert await a.campaign()


async def test_the_token_is_read_anew_each_time(place: Place) -> None:
    lease = place.lease()
    assert await lease.read() is None
    place.token_file.write_text("an-old-token")
    with pytest.raises(LeaseError, match="401"):
        await lease.read()
    place.token_file.write_text(TOKEN)
    assert await lease.read() is None
    place.token_file.unlink()
    with pytest.raises(LeaseError, match="token"):
        await lease.read()


async def test_who_may_not_is_told(place: Place) -> None:
    lease = place.lease("other")
    with pytest.raises(LeaseError, match=r"403 .*forbidden"):
        await lease.read()


async def test_a_silent_keeper_takes_no_more_than_the_deadline_and_unseats_nobody(place: Place) -> None:
    lease = place.lease()
    elector = Elector(lease, "a", duration_ms=DURATION_MS, clock_ms=lambda: 0)
    assert await elector.campaign()
    place.keeper.is_silent = True
    with pytest.raises(LeaseError, match="TimeoutError"):
        await place.lease(deadline_ms=SILENT_DEADLINE_MS).read()
    lease._deadline_s = SILENT_DEADLINE_MS / 1000
    async with asyncio.timeout(PATIENT_MS / 2_000):
        assert await elector.campaign()
    lease._deadline_s = PATIENT_MS / 1000
    place.keeper.is_silent = False
    assert await elector.campaign()


@pytest.mark.parametrize("garbage", [b"{", b"[]", b'{"metadata":{}}', b'{"metadata":{"resourceVersion":1}}'])
async def test_an_answer_that_is_no_lease_is_an_error(place: Place, garbage: bytes) -> None:
    lease = place.lease()
    await lease.write("a", DURATION_MS, None)
    place.keeper.garbage = garbage
    with pytest.raises(LeaseError, match="exchange/engine-0"):
        await lease.read()


async def test_a_keeper_that_is_away_is_an_error(tmp_path: Path) -> None:
    gone = Place(Keeper(), "http://127.0.0.1:1", tmp_path)
    with pytest.raises(LeaseError, match=r"127\.0\.0\.1:1"):
        await gone.lease().read()


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("kubernetes:exchange/engine-0", "no pod"),
        ("kubernetes:engine-0", "<namespace>/<name>"),
        ("kubernetes:a/b/c", "<namespace>/<name>"),
        ("redis:x", "neither"),
        ("file:", "neither"),
    ],
)
def test_a_lease_that_cannot_be_had_here_is_refused_by_name(
    setting: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match=complaint):
        main._elector(Settings(lease=setting))


def test_a_pod_finds_its_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert main._elector(Settings(lease="kubernetes:exchange/engine-0")) is not None
