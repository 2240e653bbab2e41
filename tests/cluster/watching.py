"""What the Prometheus adapter serves, and what Prometheus makes of the chart's alerts."""

import json
from typing import Final

import pytest

from tests.cluster.api import NAMESPACE, ApiError, until
from tests.cluster.deploying import Scene
from tests.cluster.own_metrics import CUSTOM
from tests.cluster.pages import rules

_GROUP: Final = f"/apis/{CUSTOM}/v1beta1"
_PODS: Final = f"{_GROUP}/namespaces/{NAMESPACE}/pods"
_STREAMS: Final = 3_000
_WAIT_S: Final = 90.0
_FORBIDDEN, _NOT_FOUND = 403, 404


async def adapter(scene: Scene) -> list[str]:
    """The API server knows it; it has our metrics and no other, a value for each pod, for who may ask."""
    await until("the API server reaches the adapter", lambda: _is_available(scene), _WAIT_S)
    made = {rule["name"]["as"] for rule in rules()}

    async def are_listed() -> bool:
        resources = (await scene.api.get(_GROUP))["resources"]
        found = {each["name"].removeprefix("pods/") for each in resources if each["name"].startswith("pods/")}
        assert found <= made, found - made
        return found == made

    await until("the adapter has found the series of each rule", are_listed, _WAIT_S)
    scene.metrics.loads.own["market-data"] = _STREAMS
    pods = {pod["metadata"]["name"] for pod in await scene.api.ready_pods("market-data")}
    shares = dict.fromkeys(pods, str(_STREAMS // len(pods)))

    async def has_shares() -> bool:
        return await _values(scene, "exchange_market_data_stream_clients") == shares

    await until("each pod's share of the streams", has_shares, _WAIT_S)
    # docs/estate.md asks for this one.
    rates = await _values(scene, "exchange_order_requests_per_second")
    assert set(rates) == {pod["metadata"]["name"] for pod in await scene.api.ready_pods("order")}, rates
    with pytest.raises(ApiError) as unknown:
        await scene.api.get(f"{_PODS}/*/exchange_order_slow_total")
    assert unknown.value.code == _NOT_FOUND, "emitted, but by no rule a metric of a pod"
    await _is_for_the_autoscaler(scene)
    scene.metrics.loads.own["market-data"] = 0
    return [
        f"{CUSTOM} is served through the API server by the adapter, under its own account: "
        f"{len(made)} metrics of pods, those of the rules and no other; {_STREAMS} streams as "
        f"{shares[min(shares)]} at each of {len(pods)} pods",
        "the autoscaler's own account may ask (it decides by it below); a service's account is refused "
        "(403); what no rule makes a metric is not there (404)",
    ]


async def alerts(scene: Scene) -> list[str]:
    """Prometheus takes every rule, and those that tell requests by a label of ours see that label."""
    path = f"/apis/monitoring.coreos.com/v1/namespaces/{NAMESPACE}/prometheusrules/exchange"
    groups = (await scene.api.get(path))["spec"]["groups"]
    wanted = {rule["alert"] for group in groups for rule in group["rules"]}

    async def are_judged() -> bool:
        found = await scene.own.alerts()
        bad = {name: rule.get("lastError") for name, rule in found.items() if rule["health"] == "err"}
        assert not bad, bad
        return {name for name, rule in found.items() if rule["health"] == "ok"} == wanted

    await until("every rule was judged", are_judged, _WAIT_S)
    series = await scene.own.query("exchange_order_request_seconds_count")
    endpoints = {each["metric"]["endpoint"] for each in series}
    assert endpoints == {"order.place", "order.cancel"}, endpoints
    assert (await scene.own.alerts())["AnswersSlow"]["state"] == "inactive"
    loads = scene.metrics.loads
    loads.own["order"], loads.is_slow = 100, True

    async def is_seen() -> bool:
        return (await scene.own.alerts())["AnswersSlow"]["state"] in ("pending", "firing")

    seen_s = await until("slow answers are seen", is_seen, _WAIT_S)
    loads.own["order"], loads.is_slow = 0, False
    return [
        f"{len(wanted)} rules of the PrometheusRule taken and judged by Prometheus",
        f"answers of half a second: AnswersSlow sees them after {seen_s:.0f} s, by the label `endpoint` that "
        "is the code's own and the operator's too",
    ]


async def _is_available(scene: Scene) -> bool:
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.{CUSTOM}"
    conditions = (await scene.api.get(path)).get("status", {}).get("conditions", [])
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)


async def _values(scene: Scene, metric: str) -> dict[str, str]:
    """Pod -> value, asked as docs/estate.md asks it."""
    found = json.loads(await scene.operator.kubectl("get", "--raw", f"{_PODS}/*/{metric}"))
    return {item["describedObject"]["name"]: item["value"] for item in found["items"]}


async def _is_for_the_autoscaler(scene: Scene) -> None:
    path = f"{_PODS}/*/exchange_market_data_stream_clients"
    for account, namespace, is_allowed in (
        ("horizontal-pod-autoscaler", "kube-system", True),
        ("order", NAMESPACE, False),
    ):
        asking = scene.api.as_account(await scene.api.token_of(account, namespace))
        try:
            if is_allowed:
                assert (await asking.get(path))["items"]
            else:
                with pytest.raises(ApiError) as refused:
                    await asking.get(path)
                assert refused.value.code == _FORBIDDEN
        finally:
            await asking.close()
