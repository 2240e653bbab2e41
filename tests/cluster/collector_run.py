"""The collector itself, built from the parts of the image that the chart pins.

It runs with the configuration that the chart gave to the cluster. Changed in it are addresses and folders
(AWS's ends, its own ports, where pods' files lie), how it asks Kubernetes (this machine is no pod), and how
often it looks and tells. Each pod that it finds is asked on this machine.
"""

import asyncio
import contextlib
import importlib
import json
import pkgutil
from collections.abc import AsyncIterator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml

import exchange
import matching_engine
import services
from exchange.http.operations import operations_app
from local.servers import ManagedProcess, free_port
from local.servers.process import Command
from tests.cluster import build
from tests.cluster.api import until
from tests.cluster.aws_ends import CREDENTIALS, REGION, AwsEnds
from tests.cluster.control_plane import write_kubeconfig
from tests.cluster.deploying import Scene
from tests.helm.collector import COLLECTOR, HANDOVER

NAMESPACE = "opentelemetry"
NODE = "spot-a-0"
_ACCOUNT = "adot-collector"
_START_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 20.0
_VALIDATE_DEADLINE_S = 30.0
_SCRAPE_S = 2
_BATCH_S = 1


async def install(scene: Scene) -> None:
    """The chart, as docs/deploy.md has it, with the values of an example."""
    await scene.operator.helm(
        "upgrade", "--install", "collector", str(COLLECTOR), "--create-namespace", *HANDOVER,
        "--wait", "--timeout", "60s", namespace=NAMESPACE,
    )  # fmt: skip


async def configuration(scene: Scene, name: str) -> dict[str, Any]:
    """What the cluster would mount into the pods of `name`."""
    found = await scene.api.get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")
    config: dict[str, Any] = yaml.safe_load(found["data"]["collector.yaml"])
    return config


async def scraping(scene: Scene, config: dict[str, Any], folder: Path, page_port: int) -> None:
    """Kubernetes is asked as the chart's account; a pod that is found is the page on `page_port`."""
    folder.mkdir(parents=True, exist_ok=True)
    token = await scene.api.token_of(_ACCOUNT, NAMESPACE)
    kubeconfig = write_kubeconfig(folder / "kubeconfig", scene.plane.url, token, scene.plane.files)
    here = {"action": "replace", "target_label": "__address__", "replacement": f"127.0.0.1:{page_port}"}
    for name in ("prometheus/cloudwatch", "prometheus/managed"):
        (job,) = config["receivers"][name]["config"]["scrape_configs"]
        job |= {"scrape_interval": f"{_SCRAPE_S}s", "scrape_timeout": f"{_SCRAPE_S - 1}s"}
        job["kubernetes_sd_configs"][0]["kubeconfig_file"] = str(kubeconfig)
        job["relabel_configs"].append(here)


def sending(config: dict[str, Any], ends: AwsEnds) -> None:
    """Exporters tell AWS's ends instead of AWS."""
    for name, exporter in config["exporters"].items():
        kind = name.partition("/")[0]
        if kind == "prometheusremotewrite":
            path = exporter["endpoint"].removeprefix("https://").partition("/")[2]
            exporter["endpoint"] = f"{ends.posts_url}/{path}"
        else:
            exporter["endpoint"] = ends.posts_url if kind == "awsxray" else ends.logs_url


def reading(config: dict[str, Any], pods: Path, places: Path) -> None:
    """Files of pods lie in `pods`; where they were left is kept in `places`."""
    places.mkdir(parents=True, exist_ok=True)
    config["extensions"]["file_storage"]["directory"] = str(places)
    for receiver in config["receivers"].values():
        for what in ("include", "exclude"):
            receiver[what] = [path.replace("/var/log/pods", str(pods)) for path in receiver[what]]


@dataclass(frozen=True)
class Collector:
    """One that runs."""

    process: ManagedProcess
    # Takes OTLP over HTTP, if it takes any.
    traces_url: str


@contextlib.asynccontextmanager
async def running(name: str, config: dict[str, Any], folder: Path) -> AsyncIterator[Collector]:
    """The program says that the configuration is good, runs with it until left, and complains of nothing."""
    health, traces = free_port(), free_port()
    config["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    if "otlp" in config["receivers"]:
        protocols = config["receivers"]["otlp"]["protocols"]
        protocols["http"]["endpoint"] = f"127.0.0.1:{traces}"
        protocols["grpc"]["endpoint"] = f"127.0.0.1:{free_port()}"
    config["processors"]["batch"]["timeout"] = f"{_BATCH_S}s"
    # Its own metrics would take a fixed port.
    config["service"]["telemetry"]["metrics"] = {"level": "none"}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    await validate(file)
    command = Command(
        [str(build.collector()), f"--config={file}"],
        program=build.collector().name,
        marker=str(folder),
        environment=environment(),
    )
    process = await ManagedProcess.start(name, folder, command)
    try:
        await process.wait_ready(lambda: _is_healthy(health), _START_DEADLINE_S)
        yield Collector(process, f"http://127.0.0.1:{traces}/v1/traces")
    finally:
        code = await process.stop(_STOP_DEADLINE_S)
    assert code == 0, process.log_tail()
    lines = [json.loads(line) for line in process.log_file.read_text("utf-8").splitlines() if line[:1] == "{"]
    assert lines, "the collector says what it does"
    errors = [f"{line['msg']}: {line.get('error', '')}" for line in lines if line["level"] == "error"]
    assert errors == [], "\n".join(errors)


async def validate(file: Path) -> None:
    """The program's own judgement. Raises AssertionError with what it said."""
    process = await asyncio.create_subprocess_exec(
        str(build.collector()), "validate", f"--config={file}",
        env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_VALIDATE_DEADLINE_S):
            said, _ = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, said.decode()


def environment() -> dict[str, str]:
    """As the chart sets it, and nothing of this machine's own: no account, no proxy."""
    return {
        **CREDENTIALS,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NODE_NAME": NODE,
        "GOMEMLIMIT": str(256 * 1024 * 1024),
    }


async def _is_healthy(port: int) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=2.0) as client:
            return (await client.get(f"http://127.0.0.1:{port}/")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def metrics_page() -> AsyncIterator[int]:
    """All metrics that the code has, on the /metrics that every process has; the port of it."""
    for package in (exchange, matching_engine, services):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    port = free_port()
    app = operations_app([])
    server = _Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
    )
    task = asyncio.create_task(server.serve())
    try:
        await until("the page of metrics", lambda: _is_started(server), 10.0)
        yield port
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=10)


async def _is_started(server: uvicorn.Server) -> bool:
    return server.started
