"""The engine's Lease on the real API server, with the tokens and the role that its pods have."""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from exchange.adapters.kubernetes.lease import KubernetesLease
from exchange.ports.world import LeaseError
from matching_engine.leadership import Elector
from tests.cluster.api import NAMESPACE
from tests.cluster.deploying import Scene

_DURATION_MS = 2_000
_DEADLINE_MS = 700
_LEASE = "engine-0"


def _clock_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class _Candidate:
    """One engine's side of the lease."""

    def __init__(self, scene: Scene, holder: str, token_file: Path, name: str = _LEASE) -> None:
        self.lease = KubernetesLease(
            scene.plane.url,
            NAMESPACE,
            name,
            token_file=token_file,
            ca_file=scene.plane.files.authority,
            deadline_ms=_DEADLINE_MS,
        )
        self.elector = Elector(self.lease, holder, duration_ms=_DURATION_MS, clock_ms=_clock_ms)


async def succession(scene: Scene) -> list[str]:
    """Taken, renewed, lost, taken over, in conflict, resigned, forbidden, and without an answer."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = {}
        for account in ("engine", "order"):
            tokens[account] = Path(folder) / account
            tokens[account].write_text(await scene.api.token_of(account), encoding="ascii")
        a, b = (_Candidate(scene, holder, tokens["engine"]) for holder in ("engine-0-x", "engine-1-y"))
        stranger = _Candidate(scene, "stranger", tokens["order"])
        elsewhere = _Candidate(scene, "engine-0-x", tokens["engine"], "engine-1")
        try:
            lines = [*await _taken_and_taken_over(scene, a, b), *await _conflict(a, b)]
            lines += await _forbidden(stranger, elsewhere)
            lines += await _token_renewed(scene, a, tokens["engine"])
            lines += await _silence(scene, a, b)
        finally:
            for candidate in (a, b, stranger, elsewhere):
                await candidate.lease.close()
    return lines


async def _taken_and_taken_over(scene: Scene, a: _Candidate, b: _Candidate) -> list[str]:
    """What the leading pod does, then its end, then what the standby does."""
    before = await a.lease.read()
    assert before is not None, "the chart makes the object"
    assert before.holder == "", "nobody holds a new lease"
    assert sorted(await asyncio.gather(a.elector.campaign(), b.elector.campaign())) == [False, True]
    leader, standby = (a, b) if a.elector.is_holding else (b, a)
    until_s = time.monotonic() + 2 * _DURATION_MS / 1000
    renewals = 0
    renewed_s = time.monotonic()
    while time.monotonic() < until_s:
        assert await leader.elector.campaign(), "a lease that is renewed is kept"
        renewed_s = time.monotonic()
        assert not await standby.elector.campaign(), "and nobody else gets it"
        renewals += 1
        await asyncio.sleep(leader.elector.pause_s)
    while not await standby.elector.campaign():
        assert time.monotonic() - renewed_s < 5 * _DURATION_MS / 1000, "an abandoned lease is taken over"
        await asyncio.sleep(standby.elector.pause_s / 4)
    took_s = time.monotonic() - renewed_s
    assert took_s * 1000 >= _DURATION_MS, "never before its time"
    assert not await leader.elector.campaign(), "who lost it learns it"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{_LEASE}"
    kept = await scene.api.get(path)
    assert kept["spec"]["holderIdentity"] == standby.elector.holder
    assert kept["metadata"]["labels"]["app.kubernetes.io/part-of"] == "exchange", "labels stay"
    return [
        f"taken by one of two, renewed {renewals} times, abandoned, taken over {took_s:.1f} s after the last "
        f"renewal (duration {_DURATION_MS / 1000:g} s)"
    ]


async def _conflict(a: _Candidate, b: _Candidate) -> list[str]:
    """Both write for the same version: one wins. Then the holder resigns, and the other has it at once."""
    seen = await a.lease.read()
    written = await asyncio.gather(
        a.lease.write("engine-0-x", _DURATION_MS, seen), b.lease.write("engine-1-y", _DURATION_MS, seen)
    )
    assert [record is None for record in written].count(True) == 1, "one of two writes for one version"
    assert await a.lease.write("engine-0-x", _DURATION_MS, seen) is None, "an old version is refused"
    assert await a.lease.read() == next(record for record in written if record is not None)
    winner, other = (a, b) if written[0] is not None else (b, a)
    assert await winner.elector.campaign()
    await winner.elector.resign()
    assert await other.elector.campaign(), "a resigned lease is free at once"
    return ["of two writes for one resource version one is refused (409); a resigned lease is taken at once"]


async def _forbidden(stranger: _Candidate, elsewhere: _Candidate) -> list[str]:
    """Without the role, or with it on another name, nothing is read, written or made."""
    for candidate in (stranger, elsewhere):
        with pytest.raises(LeaseError, match="403"):
            await candidate.lease.read()
        with pytest.raises(LeaseError, match="403"):
            await candidate.lease.write("x", _DURATION_MS, None)
        assert not await candidate.elector.campaign()
    return ["another account, or another name: 403, and nobody is elected"]


async def _token_renewed(scene: Scene, a: _Candidate, token_file: Path) -> list[str]:
    """The kubelet writes a new token into the file; the next call uses it."""
    good = token_file.read_text(encoding="ascii")
    token_file.write_text("not.a.token", encoding="ascii")
    with pytest.raises(LeaseError, match="401"):
        await a.lease.read()
    token_file.write_text(await scene.api.token_of("engine"), encoding="ascii")
    assert await a.lease.read() is not None
    assert token_file.read_text(encoding="ascii") != good
    return ["the token is read anew for each call: a wrong one is refused (401), the next one works"]


async def _silence(scene: Scene, a: _Candidate, b: _Candidate) -> list[str]:
    """An API server that does not answer takes no more than the deadline, and changes nobody's belief."""
    leader, standby = (a, b) if await a.elector.campaign() else (b, a)
    if leader is b:
        assert await b.elector.campaign()
    server = scene.plane.processes["kube-apiserver"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        started_s = time.monotonic()
        assert await leader.elector.campaign(), "who leads goes on"
        waited_s = time.monotonic() - started_s
        assert not await standby.elector.campaign(), "who stands by cannot take what it cannot read"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert waited_s < 2 * _DURATION_MS / 1000
    assert await leader.elector.campaign()
    return [
        f"a stopped API server: the leader's campaign ended after {waited_s:.1f} s, and it went on leading"
    ]
