"""The data key and what is sealed with it."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from exchange.credentials import (
    ApiKey,
    SecretCipher,
    SecretKeyError,
    hash_api_key,
    load_or_create_secret_key,
)


def test_a_missing_data_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret.key"
    key = load_or_create_secret_key(path)
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_secret_key(path) == key
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_together_agree_on_one_data_key(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        keys = pool.map(load_or_create_secret_key, [path] * 64)
    assert len(set(keys)) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_raw_data_key_is_taken_too(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(bytes(range(32)))
    assert load_or_create_secret_key(path) == bytes(range(32))


@pytest.mark.parametrize("content", [b"", b"short", b"z" * 64, b"ab" * 31, b"ab" * 33, b"\xff" * 64])
def test_a_damaged_data_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(SecretKeyError):
        load_or_create_secret_key(path)
    assert path.read_bytes() == content


def test_a_secret_opens_only_with_its_own_key_and_its_own_row() -> None:
    cipher = SecretCipher(bytes(32))
    aad = hash_api_key("a" * 64)
    sealed = cipher.encrypt(b"secret", aad)
    assert cipher.decrypt(sealed, aad) == b"secret"
    assert cipher.encrypt(b"secret", aad) != sealed
    flipped = bytes([sealed[0] ^ 1]) + sealed[1:]
    for other, data, row in (
        (SecretCipher(bytes([1] * 32)), sealed, aad),
        (cipher, sealed, hash_api_key("b" * 64)),
        (cipher, flipped, aad),
        (cipher, b"", aad),
    ):
        with pytest.raises(SecretKeyError):
            other.decrypt(data, row)


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
