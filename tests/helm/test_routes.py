"""The Ingress routes as exchange/http/routing.py and the gateway's template do.

The AWS Load Balancer Controller turns paths into patterns of the ALB and orders them: Exact paths first, then
Prefix paths by their length, then ImplementationSpecific ones as they stand
(its pkg/ingress/model_build_listener_rules.go). The first pattern that fits decides.
"""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml

from exchange.http.routing import ORDER_PATHS, is_terminal_path, service_of_path
from tests.helm.charts import AWS_SHAPES, CHART, ROOT, Object, objects
from tests.unit.test_routing import MOVED, PATHS, TERMINAL, route_of_gateway

CONDITION_VALUES_MAX = 5
RULES_MAX = 100
HOST = yaml.safe_load((CHART / "ci" / "handover.yaml").read_text("utf-8"))["ingress"]["host"]
OPEN = ("--set", "ingress.closedPaths=null")


def is_operators(path: str) -> bool:
    """Whether it is what operators alone may ask (services/operator/admin.py)."""
    return path.startswith(("/v1/admin/", "/operator/")) or path == "/operator"


def patterns_of(path: str, kind: str) -> list[str]:
    if kind != "Prefix":
        return [path]
    return ["/*"] if path == "/" else [path.rstrip("/"), f"{path.rstrip('/')}/*"]


def paths_of_hosts(shape: str, *more: str) -> dict[str, list[Object]]:
    """Host ("" for any) -> its paths."""
    found = objects(shape, "Ingress", *more)["exchange"]["spec"]["rules"]
    hosts = {rule.get("host", ""): rule["http"]["paths"] for rule in found}
    assert len(hosts) == len(found)
    return hosts


def rules(shape: str, *more: str) -> list[tuple[list[str], str]]:
    """(patterns, service) of each of the ALB's rules for the main name, by priority."""
    paths = paths_of_hosts(shape, *more)[HOST]
    by_kind: dict[str, list[dict[str, Any]]] = {"Exact": [], "Prefix": [], "ImplementationSpecific": []}
    for path in paths:
        by_kind[path["pathType"]].append(path)
    by_kind["Prefix"].sort(key=lambda path: len(str(path["path"])), reverse=True)
    return [
        (patterns_of(path["path"], kind), path["backend"]["service"]["name"])
        for kind, found in by_kind.items()
        for path in found
    ]


def route_of_load_balancer(shape: str, *more: str) -> Callable[[str], str]:
    def matches(pattern: str, path: str) -> bool:
        return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path) is not None

    table = rules(shape, *more)
    return lambda path: next(
        service for patterns, service in table if any(matches(pattern, path) for pattern in patterns)
    )


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_load_balancer_gateway_and_embedded_mode_route_alike(shape: str) -> None:
    balancer, gateway = route_of_load_balancer(shape, *OPEN), route_of_gateway()
    for path in PATHS:
        if is_operators(path):
            continue
        assert balancer(path) == service_of_path(path), path
        # The terminal's files lie in a bucket there, in front of the load balancer (modules/frontend).
        assert gateway(path) in ((TERMINAL,) if is_terminal_path(path) else (balancer(path), MOVED)), path


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_metrics_and_what_is_the_operators_are_closed_to_the_world(shape: str) -> None:
    balancer = route_of_load_balancer(shape)
    operators = {path for path in PATHS if is_operators(path)}
    assert {"/operator", "/operator/", "/operator/page.js", "/v1/admin/orders"} == operators
    assert {path for path in PATHS if balancer(path) != service_of_path(path)} == {"/metrics", *operators}
    # No value opens it again: who reads this chart's values finds no such switch.
    opened = route_of_load_balancer(shape, *OPEN)
    assert {opened(path) for path in operators} == {"closed"}
    annotations = objects(shape, "Ingress")["exchange"]["metadata"]["annotations"]
    assert balancer("/metrics") == "closed"
    assert json.loads(annotations["alb.ingress.kubernetes.io/actions.closed"])["type"] == "fixed-response"


def test_the_distribution_passes_nothing_of_the_operators_page_on() -> None:
    """What CloudFront passes on of /v1 the load balancer closes; all else is in its bucket, or nowhere."""
    frontend = (ROOT / "infra" / "terraform" / "modules" / "frontend" / "main.tf").read_text("utf-8")
    (listed,) = re.findall(r"(?m)^\s*passed = \[(.*)\]$", frontend)
    passed = re.findall(r'"([^"]+)"', listed)
    assert "/v1/*" in passed
    assert not [one for one in passed if fnmatch("/operator/", one) or fnmatch("/operator", one)]


def test_every_path_of_an_account_has_its_rule() -> None:
    prefixes = {patterns[0] for patterns, service in rules("production") if service == "order"}
    assert prefixes == {f"/api/v3/{name}" for name in ORDER_PATHS} | {"/ws-api/*", "/sapi/*"}


@pytest.mark.parametrize("shape", AWS_SHAPES)
def test_every_name_that_leads_to_the_load_balancer_is_answered_there(shape: str) -> None:
    """A name without a rule of its own gets the listener's default: 404."""
    hosts = paths_of_hosts(shape)
    edge = (ROOT / "infra" / "terraform" / "modules" / "edge" / "main.tf").read_text("utf-8")
    named = set(re.findall(r'"(\w+)\.\$\{local\.host\}"\s*=', edge))
    assert named, "the edge has no names: this test looks at the wrong place"
    for name in {HOST, *(f"{prefix}.{HOST}" for prefix in named)}:
        assert hosts[name] == hosts[HOST], name
    more = paths_of_hosts(shape, "--set", "ingress.otherHosts={api.other.example}")
    assert more["api.other.example"] == hosts[HOST]


def test_health_checks_that_ask_by_the_load_balancer_s_own_name_see_the_whole_exchange() -> None:
    """Route 53 sends as Host what it was told to resolve, and an ALB has the name that AWS gave it."""
    (path,) = paths_of_hosts("production")[""]
    assert (path["path"], path["pathType"], path["backend"]["service"]["name"]) == (
        "/readyz",
        "Exact",
        "user",
    )
    assert "" not in paths_of_hosts("production", "--set", "ingress.closedPaths={/readyz}")


def test_rules_fit_a_load_balancer() -> None:
    table = rules("production")
    assert sum(len(paths) for paths in paths_of_hosts("production").values()) < RULES_MAX
    # The host is one of a rule's values.
    assert all(len(patterns) + 1 <= CONDITION_VALUES_MAX for patterns, _ in table)


def test_readiness_of_the_whole_is_asked_by_the_gateway_s_name() -> None:
    """The gateway's /readyz is the user service's /readyz/exchange, here by a rewrite."""
    annotations = objects("production", "Ingress")["exchange"]["metadata"]["annotations"]
    (transform,) = json.loads(annotations["alb.ingress.kubernetes.io/transforms.user"])
    (rewrite,) = transform["urlRewriteConfig"]["rewrites"]
    assert re.sub(rewrite["regex"], rewrite["replace"], "/readyz") == "/readyz/exchange"
    for path in ("/readyz/exchange", "/healthz", "/v1/me", "/v1/readyz"):
        assert re.sub(rewrite["regex"], rewrite["replace"], path) == path


def test_ingress_speaks_tls_and_knows_its_firewall() -> None:
    annotations = objects("production", "Ingress")["exchange"]["metadata"]["annotations"]
    name = "alb.ingress.kubernetes.io/"
    assert annotations[f"{name}ssl-redirect"] == "443"
    assert "TLS13" in annotations[f"{name}ssl-policy"]
    assert annotations[f"{name}wafv2-acl-arn"].startswith("arn:aws:wafv2:")
    assert annotations[f"{name}target-type"] == "ip"
    assert "deletion_protection.enabled=true" in annotations[f"{name}load-balancer-attributes"]
