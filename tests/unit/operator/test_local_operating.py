"""Promises of a local exchange's own log, of its operator's key, and of the way to it."""

import io
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange.security.skip_order import sign_skip, signed_text
from local import operating
from local.operating import (
    LOG_NAME,
    door_of,
    keep_log,
    log_refusal,
    operator_public_key,
    way_to_exchange,
    write_settings,
)
from matching_engine.poison import load_operator_key


@pytest.fixture
def screen() -> Iterator[io.StringIO]:
    """A root logger of the test's own, with one handler for the screen."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    text = io.StringIO()
    root.handlers = [logging.StreamHandler(text)]
    yield text
    for handler in root.handlers:
        handler.close()
    root.handlers = before
    root.setLevel(level)
    refusals = logging.getLogger("local.refusals")
    refusals.handlers = refusals.handlers[:1]


def test_the_log_is_bounded_and_the_screen_stays_quiet(
    tmp_path: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "LOG_SIZE_BYTES_MAX", 2_000)
    monkeypatch.setattr(operating, "LOG_FILES_MAX", 3)
    log_refusal("cannot go on: there is no log yet")
    assert screen.getvalue() == "", "it is said once"
    path = keep_log(tmp_path / "embedded")
    logger = logging.getLogger("services.somebody")
    for number in range(500):
        logger.info("line %d", number)
    logger.warning("something is wrong")
    log_refusal("cannot go on: the disk is full")
    files = sorted(path.parent.glob(f"{LOG_NAME}*"))
    assert len(files) == 3
    assert all(file.stat().st_size <= 2_000 for file in files)
    written = path.read_text(encoding="utf-8")
    assert "line 499" in written
    assert "something is wrong" in written
    assert "local.refusals: cannot go on: the disk is full" in written
    assert screen.getvalue() == "something is wrong\n"


def test_the_operators_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    public = operator_public_key(tmp_path)
    path = tmp_path / "operator.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert operator_public_key(tmp_path) == public
    key, private = load_operator_key(public), load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, Ed25519PrivateKey)
    assert key is not None
    key.verify(bytes.fromhex(sign_skip(private, 0, 7, 1)), signed_text(0, 7, 1))


def test_the_way_to_an_exchange_is_that_of_the_one_which_is_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no exchange runs in"):
        way_to_exchange(tmp_path)
    (tmp_path / "stack").mkdir()
    write_settings(tmp_path / "stack", {"EXCHANGE_SHARD": "0", "HOME": "/nowhere"})
    assert stat.S_IMODE((tmp_path / "stack" / "operator.json").stat().st_mode) == 0o600
    assert way_to_exchange(tmp_path) == {"EXCHANGE_SHARD": "0"}
    door = door_of(tmp_path / "embedded")
    door.parent.mkdir()
    door.touch()
    assert way_to_exchange(tmp_path) == {"OPERATOR_SOCKET": str(door)}
    # A stack that starts where an embedded exchange was killed is found, not the dead one's door.
    write_settings(tmp_path / "stack", {"EXCHANGE_SHARD": "1"})
    assert way_to_exchange(tmp_path) == {"EXCHANGE_SHARD": "1"}
