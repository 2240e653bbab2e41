"""Starting again, whatever the last run left: dead servers, half-made folders, a full disk, a slow end."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local.exchange_process import ExchangeProcess, NotReadyError
from local.servers import ServerError
from tests.e2e.audit import STALE, audit, check_refusals
from tests.e2e.conftest import DEPOSITS
from tests.e2e.journal import UNKNOWN_CODES, Journal, Load, Outcome
from tests.e2e.trader import Trader
from tests.e2e.unreaping import UnreapedExchange
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1_800)]

SEED = 20_261_129
KILLS = {"run": 20, "stack": 4}
# How far a first start is let go before it is killed, in seconds: from before initdb to trading.
FIRST_START_KILLS_S = {"run": [0.3 * n for n in range(1, 15)], "stack": [1.5 * n for n in range(1, 15)]}
DISK_SIZE_MB = {"run": 200, "stack": 900}
CATCH_UP_S = 60.0
ORDERS_EACH = 5
END_DEADLINE_S = 90.0


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["run", "stack"])
async def test_kills_where_nobody_reaps_and_a_start_after_each(mode: str) -> None:
    """The cheap twin: `tests/integration/test_dead_servers.py`."""
    print(f"seed {SEED}")
    moments = random.Random(SEED)
    exchange = UnreapedExchange(mode)
    journal = Journal()
    traders: list[Trader] = []
    try:
        await asyncio.to_thread(exchange.start)
        traders += [Trader.sign_up(exchange.url, deposits=DEPOSITS) for _ in range(2)]
        for number in range(KILLS[mode]):
            wanted = journal.count(Outcome.ACKNOWLEDGED) + ORDERS_EACH
            async with Load(traders, journal, SEED + number, 0.02):
                while journal.count(Outcome.ACKNOWLEDGED) < wanted:
                    await asyncio.sleep(0.02)
                await asyncio.sleep(moments.uniform(0.0, 0.5))
                exchange.kill()
            await asyncio.to_thread(exchange.start)
        assert exchange.zombies() >= KILLS[mode], "they were reaped: this proves nothing"
        eventually(lambda: audit(traders, journal, DEPOSITS), CATCH_UP_S)
        check_refusals(list(journal.orders.values()))
        print(journal.summary(), f"{exchange.zombies()} zombies")
        await asyncio.to_thread(exchange.stop)
    finally:
        exchange.kill()
        for trader in traders:
            trader.close()
        exchange.remove()


class SmallDiskExchange(ExchangeProcess):
    """An exchange whose data folder is a small disk of its own, in a mount table of its own."""

    def __init__(self, mode: str, size_mb: int) -> None:
        super().__init__(mode)
        mount = f"mount -t tmpfs -o size={size_mb}m,mode=755 disk {self.data_dir}"
        script = f"{mount} && echo there && exec sleep 3600"
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--kill-child",
            "--fork",
            "sh",
            "-c",
            script,
        ]
        self._disk = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._disk.stdout is not None
        if self._disk.stdout.readline() != b"there\n":
            self.remove()
            pytest.skip("this machine lets nobody mount a disk")
        shell = psutil.Process(self._disk.pid).children()[0].pid
        self._namespace = f"/proc/{shell}/ns/mnt"
        # The folder as those inside see it.
        self.disk = Path(f"/proc/{shell}/root{self.data_dir}")

    def _command(self) -> list[str]:
        return ["nsenter", f"--mount={self._namespace}", f"--wd={os.getcwd()}", *super()._command()]

    def fill(self) -> None:
        """Leave nothing free."""
        with contextlib.suppress(OSError), (self.disk / "ballast").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(65_536))

    def free(self) -> None:
        """Undo `fill`."""
        (self.disk / "ballast").unlink()

    def console(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    def ended(self) -> int:
        """Wait until it has ended by itself; returns its exit code."""
        code = self._started().wait(END_DEADLINE_S)
        self._process = None
        return code

    def remove(self) -> None:
        """Forget the disk too."""
        self._disk.kill()
        self._disk.communicate()
        super().remove()


@contextmanager
def small_disk(mode: str, size_mb: int) -> Iterator[SmallDiskExchange]:
    exchange = SmallDiskExchange(mode, size_mb)
    try:
        yield exchange
    finally:
        exchange.kill()
        exchange.remove()


def said(console: str) -> list[str]:
    """Its sentences about what it cannot do; there is no traceback."""
    assert "Traceback" not in console, console
    return [line for line in console.splitlines() if line.startswith("cannot go on: ")]


@pytest.mark.parametrize("mode", ["run", "stack"])
def test_a_first_start_on_a_disk_that_is_too_small(mode: str) -> None:
    with small_disk(mode, 20) as exchange:
        with pytest.raises(ServerError, match="ended with code 2"):
            exchange.start()
        (sentence,) = said(exchange.console())
        assert "the disk is full: 21 MB are free" in sentence
        assert "start again" in sentence
        assert not any((exchange.disk / "stack").glob("*")), "something was started on it"


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["run", "stack"])
async def test_a_disk_that_fills_up_under_load(mode: str) -> None:
    """No lie to anybody, one sentence, and after space is free all that was acknowledged is there.

    The cheap twins: the start on a small disk above, and `tests/unit/test_local_start.py`.
    """
    with small_disk(mode, DISK_SIZE_MB[mode]) as exchange:
        await asyncio.to_thread(exchange.start)
        traders = [Trader.sign_up(exchange.url, deposits=DEPOSITS) for _ in range(3)]
        journal = Journal()
        async with Load(traders, journal, SEED, 0.01):
            await asyncio.sleep(2)
            await asyncio.to_thread(exchange.fill)
            assert await asyncio.to_thread(exchange.ended) == 2
        print(journal.summary())
        (sentence,) = said(exchange.console())
        assert "the disk is full" in sentence
        codes = {order.answer.get("code") for order in journal.orders.values() if "code" in order.answer}
        # An order that could not be taken for seconds is too old by then, as its sender's recvWindow asks.
        assert codes <= UNKNOWN_CODES | {STALE}, codes
        with pytest.raises(ServerError, match="ended with code 2"):
            await asyncio.to_thread(exchange.start)
        assert said(exchange.console())[1:], "the second start said nothing"
        exchange.free()
        await asyncio.to_thread(exchange.start)
        eventually(lambda: audit(traders, journal, DEPOSITS), CATCH_UP_S)
        for trader in traders:
            trader.close()
        await asyncio.to_thread(exchange.stop)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["run", "stack"])
def test_a_first_start_killed_anywhere_is_begun_again(mode: str) -> None:
    """Each kill meets what the one before has left, the last start has to work."""
    exchange = ExchangeProcess(mode)
    try:
        for moment_s in FIRST_START_KILLS_S[mode]:
            with contextlib.suppress(NotReadyError):
                exchange.start(deadline_s=moment_s)
            # Where it was ready already: as good a moment as any.
            exchange.kill()
        exchange.start()
        Trader.sign_up(exchange.url, deposits=DEPOSITS).close()
        exchange.stop()
    finally:
        exchange.kill()
        exchange.remove()


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["run", "stack"])
def test_an_end_in_a_hurry_with_a_server_that_does_not_answer(mode: str) -> None:
    """Two signals, one after the other, while PostgreSQL is paused: a bounded end, and the next start works.

    The cheap twin: `tests/unit/test_local_processes.py`.
    """
    exchange = ExchangeProcess(mode)
    try:
        exchange.start()
        trader = Trader.sign_up(exchange.url, deposits=DEPOSITS)
        postgres = exchange.service_pid("postgres")
        assert postgres is not None
        psutil.Process(postgres).suspend()
        owner = psutil.Process(exchange.pid)
        owner.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        owner.send_signal(signal.SIGINT)
        exchange.stop()
        exchange.start()
        assert trader.balances()["BTC"]
        trader.close()
        exchange.stop()
    finally:
        exchange.kill()
        exchange.remove()
