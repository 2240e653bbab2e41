"""Starts ccxt's own tests against an exchange, and reads what they say."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ccxt

from bench import Account
from tests.e2e.ccxt_setup import moved_urls

__all__ = ["Findings", "run"]

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
DEADLINE_S: Final = 300
NO_FUTURES: Final = {"swap": False, "future": False, "option": False}
_OUTPUT_LENGTH_MAX: Final = 12_000
_EXCEPTION_LENGTH_MAX: Final = 400


@dataclass(frozen=True)
class Findings:
    """Methods of ccxt's: which were tested and held, and what each of the others met. `output`: its end."""

    held: frozenset[str]
    failed: dict[str, str]
    output: str


def run(folder: Path, url: str, account: Account, *arguments: str) -> Findings:
    """ccxt's tests of `binance` with these arguments, on the exchange at `url`, for an account with money."""
    # It reads every exchange that there is: two seconds, which every process that reads the tests would pay.
    import ccxt.pro

    lay_out(folder, account)
    client: Any = ccxt.pro.binance() if "--ws" in arguments else ccxt.binance()
    urls = json.dumps(moved_urls(client.urls["api"], url))
    done = subprocess.run(
        [sys.executable, "-P", str(LAUNCHER), str(folder), urls, "binance", *arguments, "--info"],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip
    output = done.stdout + done.stderr
    held = frozenset(re.findall(r"^\[INFO\] TESTING DONE +binance (\w+)", output, re.MULTILINE))
    failures = re.findall(
        r"^\[TEST_(?:FAILURE|WARNING)\] binance (\w+)(?<!_TESTS) (.*(?:\n(?!\[).*)*)", output, re.MULTILINE
    )
    failed = {method: _exception(said) for method, said in failures}
    return Findings(held - set(failed), failed, output[-_OUTPUT_LENGTH_MAX:])


def _exception(said: str) -> str:
    """The line of a traceback that says what was wrong."""
    lines = [line for line in said.splitlines() if line and not line[0].isspace()]
    return lines[-1][:_EXCEPTION_LENGTH_MAX]


def lay_out(folder: Path, account: Account) -> None:
    """As ccxt's repository is: its tests refuse to run from where packages are installed."""
    package = Path(ccxt.__file__).parent
    copy = folder / "python" / "ccxt"
    copy.mkdir(parents=True)
    for path in package.iterdir():
        if path.name == "test":
            shutil.copytree(path, copy / "test", ignore=shutil.ignore_patterns("__pycache__"))
        elif path.name != "__pycache__":
            (copy / path.name).symlink_to(path)
    # Binance has futures, and ccxt's tests want to find some where the client says so.
    settings = {"apiKey": account.api_key, "secret": account.secret_key, "has": NO_FUTURES}
    (folder / "keys.json").write_text(json.dumps({"binance": settings}), "utf-8")
    # Of what ccxt itself leaves out for the real Binance nothing is left out here.
    (folder / "skip-tests.json").write_text("{}", "utf-8")
