"""What the collector finds in the cluster, and what of it arrives at AWS's ends."""

import asyncio
import json
import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from exchange.adapters.otlp.spans import OpenTelemetry, otlp_exporter
from exchange.process.log_lines import formatter
from tests.cluster import build
from tests.cluster.api import NAMESPACE, Object, until
from tests.cluster.aws_ends import AwsEnds, aws_ends
from tests.cluster.collector_run import (
    NODE,
    configuration,
    install,
    metrics_page,
    reading,
    running,
    scraping,
    sending,
)
from tests.cluster.deploying import Scene, rest
from tests.helm.collector import asked_for

_ARRIVES_S = 40.0
_TIMES = 7
_JOBS = ("migrations", "topics", "rebuild", "readiness")
_LONG = "x" * 20_000
# The node cuts what a container says into parts of this length.
_PART_BYTES = 8_192
Lines = list[tuple[str, dict[str, Any]]]


async def metrics(scene: Scene) -> list[str]:
    """Every metric of an alarm of every pod, by the dimensions that the alarm names; and a trace."""
    await install(scene)
    folder = scene.plane.kubeconfig.parent / "collector"
    config = await configuration(scene, "collector")
    group = config["exporters"]["awsemf"]["log_group_name"]
    pods = {pod["metadata"]["name"] for pod in await _pods(scene)}
    with aws_ends() as ends:
        ends.make_group(group)
        async with metrics_page() as page_port:
            watched = _show_all(asked_for())
            await scraping(scene, config, folder, page_port)
            sending(config, ends)
            async with running("collector", config, folder) as collector:
                await until("a line of every pod", lambda: _has_lines(ends, group, pods), _ARRIVES_S)
                # From here on everything counts, in the same way at each pod.
                for metric in watched:
                    _happen(metric)
                await _trace(collector.traces_url)
                await until("what is new of every pod", lambda: _has_counted(ends, group, pods), _ARRIVES_S)
        lines = ends.events(group)
    assert {stream for stream, _ in lines} == {"collector"}
    _is_by_the_dimensions_asked_for(lines)
    posts = Counter((post.service, post.path.rpartition("/")[2]) for post in ends.posts)
    assert set(posts) == {("aps", "remote_write"), ("xray", "TraceSegments")}, posts
    (segment,) = (post.body for post in ends.posts if post.service == "xray")
    (document,) = json.loads(segment)["TraceSegmentDocuments"]
    assert json.loads(document)["name"] == "order"
    return [
        f"opentelemetry-collector-contrib {build.COLLECTOR}, as in the image {build.COLLECTOR_IMAGE}, "
        "takes the configuration as valid, and runs with it",
        f"with the rights of its account it found {len(pods)} pods; {len(asked_for())} metrics of alarms "
        f"arrived by the dimensions asked for, {_TIMES} new errors of each pod as {_TIMES}",
        f"{posts['aps', 'remote_write']} signed writes for Managed Prometheus; "
        "a span of ours was a segment for X-Ray",
    ]


async def logs(scene: Scene) -> list[str]:
    """What each pod says arrives once, in its process's group, also over a rotation and a restart."""
    await install(scene)
    folder = scene.plane.kubeconfig.parent / "collector"
    files = folder / "pods"
    config = await configuration(scene, "logs")
    groups = {name.partition("/")[2]: each["log_group_name"] for name, each in config["exporters"].items()}
    pods = [*await _pods(scene), *_jobs()]
    for pod in pods:
        _say(_file(files, pod), _line(f"this is {pod['metadata']['name']}"))
    stranger = {**pods[0], "metadata": {**pods[0]["metadata"], "namespace": "kube-system"}}
    _say(_file(files, stranger), "not ours")
    order = next(pod for pod in pods if pod["metadata"]["name"].startswith("order-"))
    current = _file(files, order)
    _say(current, _line(_LONG), "Traceback (most recent call last):", '{"half')
    with aws_ends() as ends:
        for group in groups.values():
            ends.make_group(group)
        reading(config, files, folder / "places")
        sending(config, ends)
        expected = Counter([_LONG, "Traceback (most recent call last):", '{"half'])
        expected[f"this is {order['metadata']['name']}"] += 1

        async def arrived() -> bool:
            return await asyncio.to_thread(_said, ends, groups["order"], order) >= expected

        async with running("logs", config, folder):
            await until("what was there at the start", arrived, _ARRIVES_S)
            _set_aside(current, 1, _line("said while it is set aside"))
            _say(current, _line("said to the new file"))
            expected.update(["said while it is set aside", "said to the new file"])
            await until("what was said over a rotation", arrived, _ARRIVES_S)
        _set_aside(current, 2, _line("said and set aside while the collector is away"))
        _say(current, _line("said to another file"))
        expected.update(["said and set aside while the collector is away", "said to another file"])
        async with running("logs", config, folder):
            await until("what was said while it was away", arrived, _ARRIVES_S)
        assert _said(ends, groups["order"], order) == expected, "each line once"
        assert ends.groups() == set(groups.values())
        for pod in pods:
            name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
            process = "jobs" if container in _JOBS else container
            (group,) = (groups[each] for each in groups if f"{process}-".startswith(f"{each}-"))
            assert _said(ends, group, pod)[f"this is {name}"] == 1, name
        everything = [found for group in groups.values() for found in ends.events(group)]
    assert {stream for stream, _ in everything} == {NODE}
    assert {line["resource"]["k8s.namespace.name"] for _, line in everything} == {NAMESPACE}
    return [
        f"lines of {len(pods)} pods in {len(groups)} log groups, each with its pod's name: JSON as objects, "
        f"{len(_line(_LONG))} bytes in parts as one line, a traceback as text",
        "nothing lost or told twice over two rotations, one of them while the collector was away",
    ]


def _jobs() -> list[Object]:
    """Pods of the jobs, which were there before the collector was, and are gone."""
    return [
        {
            # The collector takes nothing for a pod's folder that has no uid in its name.
            "metadata": {
                "name": f"{name}-x1",
                "namespace": NAMESPACE,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            },
            "spec": {"containers": [{"name": name}]},
        }
        for name in _JOBS
    ]


async def _pods(scene: Scene) -> list[Object]:
    """All pods of the exchange, once the autoscaler has taken away what other scenarios needed."""
    await rest(scene.api)
    path = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/part-of=exchange"
    found: list[Object] = (await scene.api.get(path))["items"]
    return [pod for pod in found if pod["status"]["phase"] == "Running"]


def _labels(metric: str) -> list[str]:
    """Values for the metric's labels: the ones that alarms name, else any."""
    of_alarms = {"code": "-1000", "endpoint": "order.cancel"}
    return [of_alarms.get(label, "any") for label in _collector(metric)._labelnames]


def _collector(metric: str) -> Any:
    return REGISTRY._names_to_collectors[metric]


def _show_all(metrics: Iterable[str]) -> list[str]:
    """Every one of them has a value to show; their names."""
    for metric in metrics:
        if _labels(metric):
            _collector(metric).labels(*_labels(metric))
    return list(metrics)


def _happen(metric: str) -> None:
    labels = _labels(metric)
    child = _collector(metric).labels(*labels) if labels else _collector(metric)
    if hasattr(child, "observe"):
        for _ in range(_TIMES):
            child.observe(0.25)
    else:
        child.inc(_TIMES)


async def _trace(url: str) -> None:
    tracing = OpenTelemetry(otlp_exporter(url), service="order", share=1.0)
    span = tracing.request("order.place", None)
    assert span is not None
    span.end()
    await tracing.close()


async def _has_lines(ends: AwsEnds, group: str, pods: set[str]) -> bool:
    """Of counters too: their first value only says where to count from."""
    lines = await asyncio.to_thread(ends.events, group)
    return {line["pod"] for _, line in lines if "exchange_ledger_failures_total" in line} == pods


async def _has_counted(ends: AwsEnds, group: str, pods: set[str]) -> bool:
    lines = await asyncio.to_thread(ends.events, group)
    errors: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    for _, line in lines:
        if line.get("code") == "-1000":
            assert line["exchange_order_errors_total"] > 0, "no errors are no line"
            errors[line["pod"]] += line["exchange_order_errors_total"]
        if line.get("endpoint") == "order.cancel" and "exchange_order_request_seconds" in line:
            requests[line["pod"]] += line["exchange_order_request_seconds"]["Count"]
    wanted = Counter(dict.fromkeys(pods, _TIMES))
    assert errors <= wanted, errors
    assert requests <= wanted, requests
    return errors == wanted and requests == wanted


def _is_by_the_dimensions_asked_for(lines: Lines) -> None:
    sent: dict[str, set[tuple[str, ...]]] = {}
    for _, line in lines:
        for measured in line["_aws"]["CloudWatchMetrics"]:
            assert measured["Namespace"] == "Exchange"
            for metric in measured["Metrics"]:
                assert metric["Name"] in line
                assert all(name in line for dimensions in measured["Dimensions"] for name in dimensions)
                sent.setdefault(metric["Name"], set()).update(map(tuple, measured["Dimensions"]))
    for metric, dimensions in asked_for().items():
        assert dimensions <= sent.get(metric, set()), (metric, sent.get(metric))


def _line(message: str) -> str:
    record = logging.LogRecord("services.order", logging.INFO, "", 0, message, None, None)
    return formatter("json", 0).format(record)


def _file(pods: Path, pod: Object) -> Path:
    """Where a node keeps what the pod says."""
    metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
    folder: Path = pods / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}" / container
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "0.log"


def _say(file: Path, *lines: str) -> None:
    """In the form of the container runtime: time, stream, whether it is a part or the full end, text."""
    with file.open("a", encoding="utf-8") as out:
        for line in lines:
            parts = [line[at : at + _PART_BYTES] for at in range(0, len(line), _PART_BYTES)]
            for part in parts:
                now_ns = time.time_ns()
                second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ns // 10**9))
                tag = "F" if part is parts[-1] else "P"
                out.write(f"{second}.{now_ns % 10**9:09d}Z stdout {tag} {part}\n")


def _set_aside(current: Path, hour: int, last: str) -> None:
    """As a node does with a file that has grown; the container may still say something to it."""
    aside = current.with_name(f"{current.name}.20261122-{hour:02d}0000")
    current.rename(aside)
    _say(aside, last)


def _said(ends: AwsEnds, group: str, pod: Object) -> Counter[str]:
    """Message -> how often it has arrived from the pod."""
    said: Counter[str] = Counter()
    for _, line in ends.events(group):
        if line["resource"]["k8s.pod.name"] == pod["metadata"]["name"]:
            body = line["body"]
            said[body if isinstance(body, str) else body["message"]] += 1
    return said
