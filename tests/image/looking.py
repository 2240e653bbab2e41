"""What is in the image that was built: each check gives a sentence that holds, or raises."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.helm.charts import ROOT, SHAPES, containers
from tests.image.builder import Builder

__all__ = ["CHECKS", "Image", "bytes_of"]

USER: Final = "10001"
# What the Dockerfile adds to its base, at most: packages, the compiled engine, our own files.
ADDED_BYTES_MAX: Final = 600 * 1024**2
_WRITABLE: Final = ("opt/cache", "var/lib/exchange", "tmp", "var/tmp", "run/lock", "dev", "proc", "sys")
# Answers /healthz on the port that the health command asks, asks as it does, and ends with its answer.
_ASKED: Final = """
import http.server, subprocess, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]) if self.path == "/healthz" else 404); self.end_headers()
    def log_message(self, *_): pass
if sys.argv[1] != "0":
    server = http.server.HTTPServer(("127.0.0.1", 8080), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(sys.argv[2:], stderr=subprocess.DEVNULL).returncode)
"""


class Image:
    """A container of the image, its configuration and its files."""

    def __init__(self, builder: Builder, config: dict[str, Any], base_bytes: int) -> None:
        self.config = config
        self.base_bytes = base_bytes
        self._builder = builder
        self._container = builder.run("from", "--pull=never", *builder.policy, "localhost/exchange")
        self.root = Path(builder.run("mount", self._container))

    def run(self, *command: str, user: str = USER, isolated: bool = False) -> str:
        """`STATUS: what it said`, in the container as `user`."""
        options = ("--isolation", "chroot", "--network", "host", "--user", user)
        return self._builder.run(
            "run", *options, self._container, "--", *command, check=False, isolated=isolated
        )


def settings(image: Image) -> str:
    config = image.config
    assert config["User"] == "10001:10001", config["User"]
    assert config["WorkingDir"] == "/app"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    given = dict(entry.split("=", 1) for entry in config["Env"])
    assert given["PATH"].startswith("/opt/venv/bin:")
    assert given["EXCHANGE_DATA_DIR"] == "/var/lib/exchange/data"
    assert given["EXCHANGE_HOST"] == "0.0.0.0"
    return "user 10001:10001, port 8080, folder /app, its own Python first on the path"


def engine(image: Image) -> str:
    said = image.run("env", "EXCHANGE_ENGINE_BUILD=compiled", "python", "-m", "matching_engine.build")
    assert said.startswith("0: engine: compiled"), said
    for program in ("gcc", "cc", "make"):
        assert not image.run("which", program).startswith("0:"), program
    owner = image.run(
        "env", "EXCHANGE_ENGINE_BUILD=compiled", "python", "-m", "matching_engine.build", user="12345"
    )
    assert not owner.startswith("0:"), "another user loads code from a folder that is not his"
    return "the engine is compiled, needs no compiler, and is loaded by nobody but its owner"


def processes(image: Image) -> str:
    commands = {tuple(found["command"]) for shape in SHAPES for _, found in containers(shape)}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    commands |= {tuple(each["command"]) for each in compose.values() if "EXCHANGE_" in str(each)}
    modules = sorted({command[2] for command in commands if command[:2] == ("python", "-m")})
    modules.append("services.notifier.aws_lambda.main")
    for module in modules:
        said = image.run("python", "-c", f"import importlib; importlib.import_module({module!r})")
        assert said.startswith("0:"), f"{module}: {said}"
    return f"all {len(modules)} modules that charts, compose and functions start can be imported"


def health(image: Image) -> str:
    test = image.config["Healthcheck"]["Test"]
    assert test[0] == "CMD", test
    answers = {
        status: image.run("python", "-c", _ASKED, status, *test[1:], isolated=True, user="0")
        for status in ("200", "503", "0")
    }
    assert answers["200"].startswith("0:"), answers
    assert answers["503"].startswith("1:"), answers
    assert answers["0"].startswith("1:"), answers
    return "the health command is content with 200, and not with 503 or with nobody there"


def files(image: Image) -> str:
    writable = [
        path.relative_to(image.root).as_posix()
        for path in image.root.rglob("*")
        if not path.is_symlink() and (path.stat().st_uid == int(USER) or path.stat().st_mode & 0o002)
    ]
    others = [
        path
        for path in writable
        if not any(path == each or path.startswith(f"{each}/") for each in _WRITABLE)
    ]
    assert not others, others[:20]
    app = {path.name for path in (image.root / "app").iterdir()}
    assert app == {"exchange", "matching_engine", "services", "infra"}, app
    caches = list((image.root / "app").rglob("__pycache__"))
    assert not caches, caches[:5]
    return "its user owns the engine's cache and the data folder, and nothing else; no tests, no caches"


def size(image: Image) -> str:
    added = bytes_of(image.root) - image.base_bytes
    assert added < ADDED_BYTES_MAX, f"{added / 1024**2:.0f} MiB are added to the base"
    return f"{added / 1024**2:.0f} MiB beside its base (bound: {ADDED_BYTES_MAX / 1024**2:.0f})"


def packages(image: Image) -> str:
    """What pip says of the versions that the lock names."""
    said = image.run("pip", "check")
    assert said.startswith("0:"), said
    lock = (ROOT / "infra" / "docker" / "requirements.lock").read_text("utf-8")
    locked, frozen = _versions(lock), _versions(image.run("pip", "freeze").split(": ", 1)[1])
    wrong = {name: version for name, version in frozen.items() if locked.get(name) != version}
    assert frozen
    assert not wrong, wrong
    return f"{len(frozen)} packages, each as the lock file has it"


def _versions(lines: str) -> dict[str, str]:
    """Package -> version, by the name that all its spellings have in common (PEP 503)."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lines, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def bytes_of(folder: Path) -> int:
    said = subprocess.run(
        ["du", "-s", "-x", "-B1", str(folder)], capture_output=True, text=True, check=True, timeout=300
    )
    return int(said.stdout.split()[0])


CHECKS: Final[tuple[Callable[[Image], str], ...]] = (
    settings, engine, processes, health, files, packages, size,
)  # fmt: skip
