"""A Kubernetes control plane as child processes: etcd, API server, controllers, scheduler, kwok."""

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.servers import ManagedProcess, free_port
from local.servers.process import Command, port_answers
from tests import certificates
from tests.cluster import build
from tests.cluster.api import Api

ADMIN = "cluster-test"
_START_DEADLINE_S = 120.0
# Decisions of the autoscaler, which looks every 15 s in a real cluster.
_SCALER_PERIOD_S = 1


@dataclass
class ControlPlane:
    """What runs, and how to talk to it."""

    api: Api
    kubeconfig: Path
    files: certificates.Files
    url: str
    processes: dict[str, ManagedProcess]
    started_in_s: float

    @classmethod
    async def start(cls, folder: Path) -> Self:
        """Start everything below `folder`. Raises ServerError, BuildError."""
        programs = build.programs()
        started_s = time.monotonic()
        files = certificates.make(folder / "pki")
        token = secrets.token_hex(16)
        tokens = folder / "tokens.csv"
        tokens.write_text(f'{token},{ADMIN},{ADMIN},"system:masters"\n', encoding="utf-8")
        port, etcd_port, peer_port = free_port(), free_port(), free_port()
        url = f"https://127.0.0.1:{port}"
        kubeconfig = write_kubeconfig(folder / "kubeconfig", url, token, files)
        plane = cls(Api(url, token, files.authority), kubeconfig, files, url, {}, 0.0)
        try:
            await plane._spawn(programs, folder, "etcd", _etcd(folder, etcd_port, peer_port))
            await plane.processes["etcd"].wait_ready(lambda: port_answers(etcd_port), _START_DEADLINE_S)
            await plane._spawn(programs, folder, "kube-apiserver", _apiserver(port, etcd_port, tokens, files))
            await plane.processes["kube-apiserver"].wait_ready(plane.api.is_ready, _START_DEADLINE_S)
            await plane._spawn(programs, folder, "kube-controller-manager", _controllers(kubeconfig, files))
            await plane._spawn(
                programs,
                folder,
                "kube-scheduler",
                [f"--kubeconfig={kubeconfig}", "--leader-elect=false", f"--secure-port={free_port()}"],
            )
            await plane._spawn(programs, folder, "kwok", _kwok(kubeconfig, programs))
        except BaseException:
            await plane.stop()
            raise
        plane.started_in_s = time.monotonic() - started_s
        return plane

    async def stop(self) -> None:
        """End all of it, in reverse order."""
        await self.api.close()
        for process in reversed(list(self.processes.values())):
            await process.stop(10.0)

    async def _spawn(self, programs: Path, folder: Path, name: str, arguments: list[str]) -> None:
        # The marker tells this instance's processes from any others: every command line names the folder.
        command = Command([str(programs / name), *arguments], program=name, marker=str(folder))
        self.processes[name] = await ManagedProcess.start(name, folder, command)


def _etcd(folder: Path, port: int, peer_port: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _apiserver(port: int, etcd_port: int, tokens: Path, files: certificates.Files) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={files.certificate}",
        f"--tls-private-key-file={files.key}",
        f"--client-ca-file={files.authority}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--anonymous-auth=false",
        "--service-cluster-ip-range=10.96.0.0/16",
        # The address of "kubernetes" would be 127.0.0.1, which no endpoint may have.
        "--endpoint-reconciler-type=none",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={files.accounts_key}",
        f"--service-account-signing-key-file={files.accounts_key}",
        # The API service of the metrics is asked with these.
        f"--requestheader-client-ca-file={files.authority}",
        f"--proxy-client-cert-file={files.certificate}",
        f"--proxy-client-key-file={files.key}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--v=1",
    ]


def _controllers(kubeconfig: Path, files: certificates.Files) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        f"--secure-port={free_port()}",
        "--bind-address=127.0.0.1",
        f"--service-account-private-key-file={files.accounts_key}",
        f"--root-ca-file={files.authority}",
        # Each controller is its own account, as on EKS: the autoscaler has the rights of one, and no more.
        "--use-service-account-credentials=true",
        f"--horizontal-pod-autoscaler-sync-period={_SCALER_PERIOD_S}s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=0s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=0s",
    ]


def _kwok(kubeconfig: Path, programs: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        "--manage-all-nodes=true",
        f"--config={programs / build.STAGES}",
        "--node-lease-duration-seconds=40",
    ]


def write_kubeconfig(path: Path, url: str, token: str, files: certificates.Files) -> Path:
    """For whoever has the token. JSON is YAML."""
    cluster = {"server": url, "certificate-authority": str(files.authority)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    path.chmod(0o600)
    return path
