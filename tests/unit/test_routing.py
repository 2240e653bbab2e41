"""One table of paths for every mode: exchange/http/routing.py and the gateway's template route alike."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

import pytest

from exchange.http.routing import ORDER_PATHS, SERVICES, is_terminal_path, service_of_path

TEMPLATE = Path(__file__).parents[2] / "infra" / "nginx" / "exchange.conf.template"
UPSTREAMS = {"order": "order", "user": "user", "market_data": "market-data"}
MOVED = "301 to the same path with a slash"
# Files, which are no service's: the gateway serves them itself.
TERMINAL = "the web terminal"
Location = tuple[str, str, str]

PATHS = [
    *(f"/api/v3/{name}{rest}" for name in ORDER_PATHS for rest in ("", "/", "/test", "/a/b", "s", "-x")),
    *(f"/api/v3/{name.upper()}x" for name in ORDER_PATHS),
    "/",
    "/api",
    "/api/v1/order",
    "/api/v3",
    "/api/v3/",
    "/api/v3/aggTrades",
    "/api/v3/depth",
    "/api/v3/exchangeInfo",
    "/api/v3/klines",
    "/api/v3/ping",
    "/api/v3/ticker/bookTicker",
    "/api/v3/ticker/order",
    "/api/v3/time",
    "/api/v3/trades",
    "/Api/v3/order",
    "/dapi/v1/exchangeInfo",
    "/fapi/v1/exchangeInfo",
    "/favicon.ico",
    "/healthz",
    "/healthz/",
    "/metrics",
    "/metrics/x",
    "/operator",
    "/operator/",
    "/operator/page.js",
    "/operators",
    "/v1/admin/orders",
    "/readyz",
    "/readyz/exchange",
    "/sapi/v1/capital/config/getall",
    "/sapi/v1/order",
    "/stream",
    "/terminal",
    "/terminal/",
    "/terminal/app.js",
    "/terminal/api/v3/order",
    "/terminals/app.js",
    "/index.html",
    "/v1/terminal/",
    "/x/terminal/app.js",
    "/v1/",
    "/v1/me",
    "/v1/api-keys/abc",
    "/v1/order",
    "/v10/users",
    "/v2/users",
    "/ws",
    "/ws/",
    "/ws/0",
    "/ws/btcusdt@trade",
    "/ws-api/",
    "/ws-api/v3",
    "/ws-apiv3",
    "/x/api/v3/order",
    "/x/v1/users",
]


def locations() -> Iterator[Location]:
    """(modifier, pattern, service) of each location for clients, in the file's order."""
    text = re.sub(r"(?m)^\s*#.*$", "", TEMPLATE.read_text(encoding="utf-8"))
    text = re.sub(r"\$\{\w+\}", "x", text)
    for modifier, pattern, body in re.findall(r"location\s+(?:(=|~\*?|\^~)\s+)?(\S+)\s*\{([^}]*)\}", text):
        target = re.search(r"proxy_pass\s+http://(\w+)", body)
        if target is not None:
            yield modifier, pattern, UPSTREAMS[target[1]]
        elif re.search(r"^\s*root ", body):
            yield modifier, pattern, TERMINAL


def route_of_gateway() -> Callable[[str], str]:
    """nginx's own order: an exact location, else the first regular expression, else the longest prefix."""
    found = list(locations())
    unknown = {modifier for modifier, _, _ in found} - {"=", "~", ""}
    assert not unknown, f"this test does not know nginx's {unknown}"
    exact = {pattern: service for modifier, pattern, service in found if modifier == "="}
    patterns = [(re.compile(pattern), service) for modifier, pattern, service in found if modifier == "~"]
    prefixes = sorted(
        ((pattern, service) for modifier, pattern, service in found if modifier == ""),
        key=lambda pair: len(pair[0]),
        reverse=True,
    )

    def route(path: str) -> str:
        if path in exact:
            return exact[path]
        for pattern, service in patterns:
            if pattern.search(path):
                return service
        # A proxied prefix that ends with a slash: nginx sends the bare name there by itself.
        if any(path + "/" == prefix for prefix, _ in prefixes):
            return MOVED
        return next(service for prefix, service in prefixes if path.startswith(prefix))

    return route


@pytest.mark.parametrize("path", PATHS)
def test_gateway_and_embedded_mode_route_alike(path: str) -> None:
    assert route_of_gateway()(path) == (TERMINAL if is_terminal_path(path) else service_of_path(path))


def test_the_terminal_takes_no_path_of_the_api() -> None:
    assert {path for path in PATHS if is_terminal_path(path)} == {
        "/terminal/", "/terminal/app.js", "/terminal/api/v3/order",
    }  # fmt: skip


def test_every_service_is_reached() -> None:
    assert {service_of_path(path) for path in PATHS} == set(SERVICES)
    assert {service for _, _, service in locations()} == {*SERVICES, TERMINAL}


def test_only_bare_names_that_no_client_calls_are_moved() -> None:
    route = route_of_gateway()
    bare = {pattern.rstrip("/") for modifier, pattern, _ in locations() if modifier == "" and pattern != "/"}
    assert {path for path in bare if route(path) == MOVED} == {"/v1", "/ws-api", "/sapi"}


def test_template_has_no_variable_that_python_cannot_fill_in() -> None:
    """`make stack` fills the same file by string.Template, which leaves nginx's own `$name` alone."""
    names = set(re.findall(r"\$\{(\w+)\}", TEMPLATE.read_text(encoding="utf-8")))
    filled = Template(TEMPLATE.read_text(encoding="utf-8")).safe_substitute(dict.fromkeys(names, "x"))
    assert re.search(r"\$\{\w", filled) is None
    assert "$remote_addr" in filled
