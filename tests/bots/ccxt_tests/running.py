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
import ccxt.pro

from bench import Account
from tests.e2e.ccxt_setup import moved_urls

__all__ = ["Findings", "run"]

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
DEADLINE_S: Final = 300
_OUTPUT_LENGTH_MAX: Final = 12_000


@dataclass(frozen=True)
class Findings:
    """Methods of ccxt's: which were tested and held, and what each of the others met. `output`: its end."""

    held: frozenset[str]
    failed: dict[str, str]
    output: str


def run(folder: Path, url: str, account: Account, *arguments: str) -> Findings:
    """ccxt's tests of `binance` with these arguments, on the exchange at `url`, for an account with money."""
    lay_out(folder, account)
    client: Any = ccxt.pro.binance() if "--ws" in arguments else ccxt.binance()
    urls = json.dumps(moved_urls(client.urls["api"], url))
    done = subprocess.run(
        [sys.executable, "-P", str(LAUNCHER), str(folder), urls, "binance", "--info", *arguments],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip
    output = done.stdout + done.stderr
    held = frozenset(re.findall(r"^\[INFO\] TESTING DONE +binance (\w+)", output, re.MULTILINE))
    failed = {
        method: " ".join(said.split())[:500]
        for method, said in re.findall(
            r"^\[TEST_(?:FAILURE|WARNING)\] binance (\w+) (.*(?:\n(?!\[).*){0,12})", output, re.MULTILINE
        )
        if not method.isupper() and not method.endswith("_TESTS")
    }
    return Findings(held - set(failed), failed, output[-_OUTPUT_LENGTH_MAX:])


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
    keys = {"binance": {"apiKey": account.api_key, "secret": account.secret_key}}
    (folder / "keys.json").write_text(json.dumps(keys), "utf-8")
    # Of what ccxt itself leaves out for the real Binance nothing is left out here.
    (folder / "skip-tests.json").write_text("{}", "utf-8")
