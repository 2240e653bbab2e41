"""Snapshots that earlier versions have written, as bytes in `golden/`: each is read, and written the same.

They are made once, by the version whose format they have, and never again.
"""

from pathlib import Path

import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.ports.object_keys import snapshot_place
from matching_engine.core.engine import Engine
from matching_engine.core.invariants import check_invariants
from matching_engine.core.state import FIRST_RULES_OF_FORMAT
from matching_engine.snapshots import Snapshots, state_bytes

GOLDEN = Path(__file__).parent / "golden"
# Name -> the chain's hash and the open orders in it.
CONTENTS = {
    "snapshot-00000000000000000218-00000000000000002217": ("2c7592fee807ca1bfdb2eae1f13870fe", 88),
    "snapshot5-00000000000000000419-00000000000000003602": ("4521d61680685182a1031d76b50273db", 36),
    # As long as no exchange runs rules version 5 it may be made anew (tests/unit/engine/golden_recording.py).
    "snapshot6-00000000000000000432-00000000000000004923": ("b75c594e46cab17028b28cf844a57e7b", 28),
}


def test_every_format_that_this_code_reads_has_a_golden_snapshot() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == CONTENTS.keys()
    places = [snapshot_place(name) for name in CONTENTS]
    assert {place.form for place in places if place is not None} == FIRST_RULES_OF_FORMAT.keys()


@pytest.mark.parametrize("name", CONTENTS)
async def test_snapshot_of_an_earlier_version_is_read_and_written_the_same(name: str, tmp_path: Path) -> None:
    body = (GOLDEN / name).read_bytes()
    (tmp_path / name).write_bytes(body)
    shard = await Snapshots(FolderStore(tmp_path)).load_newest(Engine())
    assert shard is not None
    check_invariants(shard.engine)
    place = snapshot_place(name)
    assert place is not None
    assert (shard.next_command_offset, shard.engine.seq) == (place.command_offset, place.seq)
    assert (shard.chain.hex(), len(shard.engine.orders)) == CONTENTS[name]
    assert body.endswith(state_bytes(shard))
