"""A whole exchange for tests, as a context manager: `with Exchange() as exchange: ...`."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, Self

from bench.account import Account
from bench.bad_days import BadDays
from bench.clients import Clients
from bench.control import BenchError, Control
from bench.market import Market
from bench.public_doors import PublicControl

__all__ = ["Exchange"]

# The first start of a version makes a template of the database, which takes some seconds more.
START_DEADLINE_S: Final = 120.0
STOP_DEADLINE_S: Final = 30.0
# An interpreter that has the exchange installed, where the bot's own has not.
PYTHON_VARIABLE: Final = "EXCHANGE_BENCH_PYTHON"
# The address of a bench that somebody else has started, and ends.
URL_VARIABLE: Final = "EXCHANGE_BENCH_URL"
# The address of an exchange that is no bench: what can be done by public calls is (bench/public_doors.py).
_PUBLIC_URL_VARIABLE: Final = "EXCHANGE_BENCH_PUBLIC_URL"
_ROOT: Final = Path(__file__).resolve().parents[1]
_ERROR_LENGTH_MAX: Final = 4_000
_LINES_KEPT: Final = 200


def public_url() -> str:
    """The address of the exchange that is no bench, "" where one of a bench is given, or none at all."""
    return "" if os.environ.get(URL_VARIABLE) else os.environ.get(_PUBLIC_URL_VARIABLE, "")


class Exchange:
    """Runs in a process of its own, with PostgreSQL and Valkey beside it, and ends with this one.

    `markets`: a file of markets (as matching_engine/markets.toml); `prices`: where markets begin. `history`:
    begin with 210 days of trades, 200 candles and more of each usual interval; the start takes longer.
    """

    def __init__(
        self,
        markets: Path | str | None = None,
        prices: Mapping[str, Decimal | int | str] | None = None,
        *,
        history: bool = False,
    ) -> None:
        self._history = history
        self._markets = markets
        self._prices = {symbol: str(price) for symbol, price in (prices or {}).items()}
        self._process: subprocess.Popen[str] | None = None
        self._said: list[str] = []
        # One that runs already, and stays: for suites in environments of their own.
        self._is_bench = not public_url()
        self.url = public_url() or os.environ.get(URL_VARIABLE, "")
        self._listener: threading.Thread | None = None
        self._kept: Control | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it trades. Raises BenchError with what it said."""
        if not self.url:
            self.url = self._started()
        self._kept = Control(self.url) if self._is_bench else PublicControl(self.url)
        self.clients = Clients(self.url)
        self.bad_days = BadDays(self._kept)

    @property
    def _control(self) -> Control:
        if self._kept is None:
            raise BenchError("the exchange has not been started")
        return self._kept

    def _started(self) -> str:
        """The address of a new one."""
        other = os.environ.get(PYTHON_VARIABLE)
        argv = [other or sys.executable, "-m", "bench.serving"]
        if self._markets is not None:
            argv += ["--markets", str(self._markets)]
        argv += ["--prices", json.dumps(self._prices)]
        argv += ["--history"] if self._history else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EXCHANGE_")}
        # Another interpreter has its own packages, which ours must not hide.
        paths = () if other else (str(_ROOT), environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        # It ends when this process lets go of its end of the pipe, however that ends.
        self._process = subprocess.Popen(
            argv, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stderr is not None, "a pipe was asked for"
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        watch = threading.Timer(START_DEADLINE_S, self._process.kill)
        watch.start()
        try:
            assert self._process.stdout is not None, "a pipe was asked for"
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        if not line:
            self._process.wait(STOP_DEADLINE_S)
            raise BenchError(f"the exchange did not start:\n{self.said()}")
        return str(json.loads(line)["url"])

    def stop(self) -> None:
        """End it, and forget all of it."""
        if self._kept is not None:
            self._kept.leave()
        process, self._process = self._process, None
        if process is None:
            return
        self.url = ""
        assert process.stdin is not None, "a pipe was asked for"
        process.stdin.close()
        try:
            process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_DEADLINE_S)
        assert process.stdout is not None, "a pipe was asked for"
        process.stdout.close()
        if self._listener is not None:
            self._listener.join(STOP_DEADLINE_S)

    def clean(self) -> None:
        """As at the start, without a restart, for the next test.

        All orders are cancelled, all markets trade at the price they began with behind a whole book, and bad
        days are over. Accounts stay, with what they have: a test opens its own. So do public trades and
        candles of tests before.
        """
        self._control.ask("POST", "/bench/clean")

    def account(
        self, *, permissions: tuple[str, ...] = ("READ", "TRADE"), **money: Decimal | int | str
    ) -> Account:
        """A new account with money and a key: `account(USDT=10_000, BTC="0.5")`."""
        body = {"permissions": list(permissions), "money": {code: str(much) for code, much in money.items()}}
        made = self._control.ask("POST", "/bench/accounts", body)
        return Account(self._control, **made)

    def market(self, symbol: str) -> Market:
        """A market by its symbol."""
        return Market(self._control, symbol)

    def replay(
        self, *files: Path | str, speed: float = 0, levels: int = 5, seed: int = 1, deadline_s: float = 3_600
    ) -> dict[str, Any]:
        """Trade a recorded market again (docs/bots.md, "The past"); what came of it, once all is traded.

        `speed` 0: as fast as it goes. The house takes its own orders away first, and comes back with the next
        test, or the next walk. Raises BenchError for files that are none.
        """
        paths = [str(Path(file).resolve()) for file in files]
        body = {"files": paths, "speed": speed, "levels": levels, "seed": seed}
        patient = Control(self.url, deadline_s)
        try:
            found: dict[str, Any] = patient.ask("POST", "/bench/replay", body)
            return found
        finally:
            patient.close()

    def clock_ms(self) -> int:
        """The engine's clock at its newest decision, in milliseconds since 1970."""
        return int(self._control.ask("GET", "/bench/clock")["engineMs"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Any question to the exchange without a signature. Raises BenchError."""
        return self._control.ask(method, path, body)

    def said(self) -> str:
        """The end of what the exchange's process has written to its standard error."""
        return "".join(self._said)[-_ERROR_LENGTH_MAX:]

    def _listen(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._said.append(line)
                del self._said[:-_LINES_KEPT]
