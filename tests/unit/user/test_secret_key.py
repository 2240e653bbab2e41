"""The file with the key-encryption key, and the addresses that an API key may be used from."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from exchange.adapters.files.key import FileKeyWrapper, load_or_create_key
from exchange.ports.world import KeyWrapError
from exchange.security.credentials import ApiKey


def test_a_missing_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret.key"
    key = load_or_create_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == key
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        keys = pool.map(load_or_create_key, [path] * 64)
    assert len(set(keys)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_raw_key_is_taken_too(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(bytes(range(32)))
    assert load_or_create_key(path) == bytes(range(32))


@pytest.mark.parametrize("content", [b"", b"short", b"z" * 64, b"ab" * 31, b"ab" * 33, b"\xff" * 64])
def test_a_damaged_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(KeyWrapError):
        load_or_create_key(path)
    assert path.read_bytes() == content


async def test_a_wrapped_key_opens_only_with_its_own_file_and_its_own_context(tmp_path: Path) -> None:
    wrapper, context = FileKeyWrapper(tmp_path / "a.key"), {"purpose": "test", "version": "1"}
    wrapped = await wrapper.wrap(bytes(32), context)
    assert await wrapper.unwrap(wrapped, dict(reversed(context.items()))) == bytes(32)
    assert await wrapper.wrap(bytes(32), context) != wrapped
    flipped = bytes([wrapped[0] ^ 1]) + wrapped[1:]
    for other, data, named in (
        (FileKeyWrapper(tmp_path / "b.key"), wrapped, context),
        (wrapper, wrapped, context | {"version": "2"}),
        (wrapper, flipped, context),
        (wrapper, b"", context),
    ):
        with pytest.raises(KeyWrapError):
            await other.unwrap(data, named)


@pytest.mark.parametrize(
    ("allowed", "caller", "expected"),
    [
        ((), "anything", True),
        (("10.0.0.1",), "10.0.0.1", True),
        (("10.0.0.1",), "10.0.0.2", False),
        (("10.0.0.0/8", "192.168.1.1"), "192.168.1.1", True),
        (("10.0.0.0/8",), "::ffff:10.9.9.9", True),
        (("2001:db8::/32",), "2001:db8::5", True),
        (("2001:db8::/32",), "10.0.0.1", False),
        (("0.0.0.0/0",), "", False),
        (("0.0.0.0/0",), "localhost", False),
    ],
)
def test_a_key_works_only_from_the_addresses_on_its_list(
    allowed: tuple[str, ...], caller: str, expected: bool
) -> None:
    key = ApiKey("k", 1, "HMAC", b"s", None, frozenset(), allowed)
    assert key.allows_ip(caller) is expected
    assert "b's'" not in repr(key)
