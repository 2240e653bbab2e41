"""What the project imports it declares itself: a package that came with another goes when that one does."""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

IMPORT: Final = re.compile(r"^ *(?:from (\w+)[\w.]* import |import (\w+))", re.MULTILINE)
ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("bench", "exchange", "infra", "loadtest", "local", "matching_engine", "services", "tests")
# Suites of strangers' bots, each with pins of its own, and a program that runs inside of AWS alone.
ELSEWHERE: Final = ("tests/bots/suites/", "tests/bots/ccxt_tests/")
# Parts of what is declared, by its makers' own word: one is not to be had without the other.
PARTS: Final = {
    "botocore": "boto3",
    "gevent": "locust",
    "opentelemetry-proto": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry-semantic-conventions": "opentelemetry-sdk",
    "pydantic-core": "pydantic",
    "starlette": "fastapi",
    "yarl": "aiohttp",
}


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    """All that pyproject.toml names, with or without an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    texts = [
        *project["dependencies"],
        *(one for group in project["optional-dependencies"].values() for one in group),
    ]
    return {normal(Requirement(text).name) for text in texts}


def imported(source: str) -> set[str]:
    """Top names of what a module imports, wherever it does; ruff keeps it to one a line."""
    return {one or other for one, other in IMPORT.findall(source)}


def test_what_is_imported_is_declared() -> None:
    owners = importlib.metadata.packages_distributions()
    known = {*OURS, *sys.stdlib_module_names}
    found: dict[str, set[str]] = {}
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith(ELSEWHERE):
                for name in imported(path.read_text("utf-8")) - known:
                    found.setdefault(name, set()).add(place)
    assert len(found) > 30
    missing = {
        name: sorted(places)[:3]
        for name, places in found.items()
        if name in owners and not {PARTS.get(normal(one), normal(one)) for one in owners[name]} & declared()
    }
    assert missing == {}, missing
