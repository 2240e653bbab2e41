"""What authors of bots are told to paste works as pasted: the README's section, and docs/bots.md."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import Exchange
from tests.bots.wheel import ROOT

pytestmark = pytest.mark.slow

SECTION = "For authors of bots"


def section_of_the_readme() -> str:
    """The README's section, without its heading."""
    text = (ROOT / "README.md").read_text("utf-8")
    return text.split(f"\n## {SECTION}\n")[1].split("\n## ")[0]


def blocks(language: str, text: str) -> list[str]:
    """The code of a language in a document, in its order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def environment(exchange: Exchange) -> dict[str, str]:
    """A stranger's shell: the packages, the bench that runs already, and nothing of this process's."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "EXCHANGE_BENCH_URL": exchange.url,
        "EXCHANGE": exchange.url,
        "HOME": os.devnull,
    }


def test_the_readme_s_suite_is_green_as_pasted(tmp_path: Path, exchange: Exchange) -> None:
    (suite,) = blocks("python", section_of_the_readme())
    (tmp_path / "test_my_bot.py").write_text(suite, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "bench.pytest_plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(exchange), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert re.search(r"^1 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_the_document_s_program_runs_as_pasted(tmp_path: Path, exchange: Exchange) -> None:
    (program,) = blocks("python", (ROOT / "docs/bots.md").read_text("utf-8"))
    (tmp_path / "bench_of_mine.py").write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, "bench_of_mine.py"], cwd=tmp_path, env=environment(exchange),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    price, balances, *_ = done.stdout.split(" ", 1)
    assert price.startswith("66000")
    assert "'USDT': Decimal('10000" in balances


def test_a_bad_day_is_ordered_as_the_document_says(exchange: Exchange) -> None:
    (ordered,) = [
        block for block in blocks("bash", (ROOT / "docs/bots.md").read_text("utf-8")) if "curl" in block
    ]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ordered],
        env=environment(exchange), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["kind"] for row in exchange.ask("GET", "/local/bad-days")] == ["unknown-done"]
