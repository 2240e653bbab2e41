"""A process that runs ccxt's own tests on other addresses: `launcher.py FOLDER URLS ARGUMENTS...`.

FOLDER is laid out as ccxt's repository (`running.py`), URLS is JSON for `urls.api`, and ARGUMENTS are what
ccxt's tests take. They start with a client as it comes from ccxt, and check that its addresses are Binance's:
so those are moved after that, when the first request is about to be made.
"""

import importlib
import json
import runpy
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Run; ends the process with their exit code, which is 0 whatever they have found."""
    folder, urls, *arguments = sys.argv[1:]
    python = Path(folder) / "python"
    tests = python / "ccxt" / "test"
    sys.path[:0] = [str(tests), str(python)]
    sys.argv = [str(tests / "tests_init.py"), *arguments]
    module = importlib.import_module("tests_sync" if "--sync" in arguments else "tests_async")
    move(module.testMainClass, json.loads(urls))
    runpy.run_path(str(tests / "tests_init.py"), run_name="__main__")


def move(tested: Any, urls: dict[str, Any]) -> None:
    """Give the client other addresses before it loads its markets."""
    load = tested.load_exchange

    def load_exchange(self: Any, exchange: Any) -> Any:
        exchange.urls["api"] = exchange.deep_extend(exchange.urls["api"], urls)
        return load(self, exchange)

    tested.load_exchange = load_exchange


if __name__ == "__main__":
    main()
