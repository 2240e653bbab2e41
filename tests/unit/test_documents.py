"""README, ARCHITECTURE and the ADRs name files, commands and variables that exist."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from local.options import LocalOptions

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
README = DOCUMENTS[0].read_text(encoding="utf-8")
FOLDERS = "bench|docs|exchange|infra|loadtest|local|matching_engine|services|tests|web"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text))
    named |= {link for link in re.findall(r"\]\(([^)#:]+)\)", text)}
    missing = [n for n in named if not (ROOT / n).exists() and not (document.parent / n).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_modules_exist(document: Path) -> None:
    modules = re.findall(r"`((?:services|matching_engine)(?:\.\w+)+)[` ]", document.read_text("utf-8"))
    for module in modules:
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


# Names that a text gives a file of the project, wherever it stands: a comment, a chart, a docstring.
NAMED_FILE = re.compile(
    r"(?<![\w/.{}*<-])((?:bench|docs|exchange|helm|infra|loadtest|local|matching_engine|services|tests|web)"
    r"/[\w./-]+\.(?:py|md|js|toml|sql|ya?ml|tf|tpl|template))\b"
)
# Files that never change once they are there (services/migrations), and names made up for a test.
NOT_READ = ("services/migrations/", "docs/reports/", "loadtest/reports/")
MADE_UP = {
    "exchange/adapters/nothing.py",
    "helm/exchange/values-prod.yaml",
    "infra/functions/rotation/handle.py",
    "tests/unit/test_estate.py::test_nothing",
}


def test_a_file_that_any_text_names_exists() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.split("\0")
    missing = []
    for name in tracked:
        path = ROOT / name
        if name.startswith(NOT_READ) or path.suffix in (".lock", ".png") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = set(NAMED_FILE.findall(text)) - MADE_UP
        missing += [
            f"{name}: {n}" for n in found if not (ROOT / n).exists() and not (path.parent / n).exists()
        ]
    assert not missing


def make(*arguments: str) -> str:
    # `make test` passes its own flags on by the environment; they are none of this make's business.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "-s", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout


def test_readme_and_make_help_name_the_same_commands() -> None:
    helped = set(re.findall(r"(?m)^  make ([\w-]+)", make("help")))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "test", "stack", "loadtest", "bench", "help"} <= named <= helped


def test_variables_of_the_readme_have_the_defaults_that_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    table = dict(re.findall(r"(?m)^\| `([A-Z_]+)` \| `([^`]+)` \|", README))
    assert set(table) == {
        "PORT",
        "DATA_DIR",
        "MARKET_MAKER",
        "RATE_LIMITS",
        "REQUEST_LIMITS",
        "LOG_KEPT_DAYS",
        "PROMETHEUS",
        "HOST",
        "BAD_DAYS",
        "HISTORY",
        "ONE_PROCESS",
        "ANOMALY_ACTION",
    }
    for name in (*table, "ENGINE_BUILD", "FAST_START"):
        monkeypatch.delenv(name, raising=False)
    options = LocalOptions.from_environment()
    assert options.port == int(table["PORT"])
    assert options.data_dir == Path(table["DATA_DIR"])
    assert options.market_maker == (table["MARKET_MAKER"] == "1")
    assert options.rate_limits == (table["RATE_LIMITS"] == "1")
    assert options.request_limits == (table["REQUEST_LIMITS"] == "1")
    assert options.host == table["HOST"]
    assert options.history == (table["HISTORY"] == "1")
    assert options.bad_days == (table["BAD_DAYS"] == "1")
    assert options.sight == (table["PROMETHEUS"] == "1")
    assert options.one_process == (table["ONE_PROCESS"] == "1")
    assert options.log_kept_days == int(table["LOG_KEPT_DAYS"])
    assert options.anomaly_action == table["ANOMALY_ACTION"]
