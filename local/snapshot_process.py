"""The embedded exchange's snapshots, made by a child process: `python -m local.snapshot_process`.

In one process with everything else there is no standby that could copy its state while another one trades,
and a copy of a million live orders takes two seconds. The child reads the command log's files, at the lowest
priority, and needs as much memory as the engine while it works. Its order comes on standard input.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from exchange.adapters.files.log_view import records_in
from exchange.adapters.files.objects import FolderStore
from exchange.ports.object_keys import snapshots_prefix
from exchange.process.loop.heap import quiet_collector
from local.servers.process import GIVES_WAY, tied_to_this_process
from matching_engine import build

if TYPE_CHECKING:  # Not before the engine's build is chosen.
    from matching_engine.remaking import SnapshotOrder

__all__ = ["ProcessSnapshots"]

_DEADLINE_S: Final = 900.0
_NICENESS: Final = 19
_ERROR_SIZE_BYTES_MAX: Final = 65_536
ROOT: Final = Path(__file__).resolve().parents[1]


class _Work(msgspec.Struct):
    """What the child is told: an order (matching_engine/remaking.py), and where everything lies."""

    data_dir: str
    log: str
    shard: int
    engine_build: str
    order: tuple[int, int, bytes, tuple[tuple[int, int, int], ...]]


class ProcessSnapshots:
    """A `SnapshotMaker` with a process for each snapshot."""

    def __init__(self, data_dir: Path, log: Path, shard: int, engine_build: str) -> None:
        """`log`: folder of the command log; `engine_build` as in `build.activate`."""
        self._work = (str(data_dir), str(log), shard, engine_build)

    async def make(self, order: "SnapshotOrder") -> None:
        """See SnapshotMaker."""
        from matching_engine.snapshots import SnapshotError

        work = msgspec.json.encode(
            _Work(*self._work, (order.next_command_offset, order.seq, order.chain, order.skipped))
        )
        # Not in the loop's own way, which forks: that copies the tables of all our pages, 15 us a mebibyte.
        # And from this thread: with the one that starts it, it would be killed.
        process = subprocess.Popen(  # noqa: ASYNC220  half a millisecond, by vfork
            tied_to_this_process(
                [sys.executable, "-m", "local.snapshot_process"], signal.SIGKILL, niceness=GIVES_WAY
            ),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            said = await asyncio.to_thread(_conversation, process, work)
        except subprocess.TimeoutExpired:
            raise SnapshotError(f"the process that makes it took more than {_DEADLINE_S:g} s") from None
        finally:
            process.kill()
        if process.returncode:
            lines = said[-_ERROR_SIZE_BYTES_MAX:].decode(errors="replace").strip().splitlines()
            raise SnapshotError(f"its process ended with {process.returncode}: {lines[-1] if lines else ''}")


def _conversation(process: "subprocess.Popen[bytes]", work: bytes) -> bytes:
    """What it says on its error output, when it has ended. Raises TimeoutExpired, and it has ended too."""
    try:
        return process.communicate(work, timeout=_DEADLINE_S)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise


def _main() -> None:
    os.nice(_NICENESS)
    quiet_collector()
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=_Work)
    build.activate(work.engine_build)
    asyncio.run(_make(work))


async def _make(work: _Work) -> None:
    from matching_engine.core.engine import Engine
    from matching_engine.core.shard import Shard
    from matching_engine.remaking import SnapshotOrder, remade
    from matching_engine.snapshots import Snapshots

    order = SnapshotOrder(*work.order)
    snapshots = Snapshots(FolderStore(Path(work.data_dir)), snapshots_prefix(work.shard))
    place = (order.next_command_offset, order.seq)
    shard = await snapshots.load_newest(Engine(), not_ahead_of=place) or Shard(Engine())
    records = records_in(Path(work.log), shard.read_offset, order.next_command_offset)
    await snapshots.store(remade(shard, records, order))


if __name__ == "__main__":
    _main()
