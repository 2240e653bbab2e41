"""Promises of the port ObjectStore, kept alike by a folder and by a bucket (over HTTP to an emulator)."""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from exchange.adapters.aws.s3 import S3Store, S3StoreOptions
from exchange.adapters.chosen.object_store import open_object_store
from exchange.adapters.files.objects import FolderStore
from exchange.ports.world import ObjectStore, ObjectStoreError
from exchange.process.config import Settings, SettingsError
from local.servers import free_port

pytestmark = pytest.mark.integration

BIG_SIZE_BYTES = 12_000_000


@pytest.fixture(params=["folder", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "objects")
        return
    bucket, endpoint = request.getfixturevalue("s3_bucket"), request.getfixturevalue("s3_endpoint")
    opened = S3Store(S3StoreOptions(bucket, "some/prefix/", endpoint))
    yield opened
    await opened.close()


async def test_object_comes_back_as_it_was_put(store: ObjectStore) -> None:
    for key, body in {"a": b"", "b/c/d": b"\x00\xff", "big": os.urandom(BIG_SIZE_BYTES)}.items():
        assert await store.put(key, body)
        assert await store.get(key) == body


async def test_key_is_written_once(store: ObjectStore) -> None:
    assert await store.put("archive/1", b"first")
    assert not await store.put("archive/1", b"second")
    assert await store.get("archive/1") == b"first"


async def test_of_many_writers_of_one_key_exactly_one_wins(store: ObjectStore) -> None:
    bodies = [str(number).encode() * 10_000 for number in range(12)]
    won = await asyncio.gather(*(store.put("contested", body) for body in bodies))
    assert sum(won) == 1
    assert await store.get("contested") == bodies[won.index(True)]
    assert await store.keys("") == ["contested"]


async def test_missing_object_is_none_and_may_be_deleted(store: ObjectStore) -> None:
    assert await store.get("nothing/here") is None
    await store.delete("nothing/here")
    await store.put("folder/file", b"x")
    assert await store.get("folder") is None
    assert await store.get("folder/file/below") is None


async def test_deleted_key_is_free_again(store: ObjectStore) -> None:
    await store.put("k", b"one")
    await store.delete("k")
    assert await store.get("k") is None
    assert await store.keys("") == []
    assert await store.put("k", b"two")


async def test_keys_are_listed_by_prefix_in_ascending_order(store: ObjectStore) -> None:
    assert await store.keys("a/") == []
    names = ["b/1", "a/10", "a/2", "ab", "a/b/c", "a/1"]
    for name in names:
        await store.put(name, b"")
    assert await store.keys("") == sorted(names)
    assert await store.keys("a/") == ["a/1", "a/10", "a/2", "a/b/c"]
    assert await store.keys("a/1") == ["a/1", "a/10"]
    assert await store.keys("a") == ["a/1", "a/10", "a/2", "a/b/c", "ab"]
    assert await store.keys("c/d/e") == []


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a b", "ä", "a\x00", "a" * 600]
)
async def test_key_that_one_of_them_could_not_keep_is_refused_by_both(store: ObjectStore, key: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.put(key, b""), lambda: store.get(key), lambda: store.delete(key)
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ObjectStoreError, match="no key"):
            await call()
    assert await store.keys("") == []


async def test_more_keys_than_a_page_are_all_listed(s3_bucket: str, s3_endpoint: str) -> None:
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    wanted = [f"p/{number:05d}" for number in range(1_005)]
    for key in wanted:
        client.put_object(Bucket=s3_bucket, Key=key, Body=b"")
    client.close()
    store = S3Store(S3StoreOptions(s3_bucket, "p/", s3_endpoint))
    assert await store.keys("") == [key.removeprefix("p/") for key in wanted]
    await store.close()


async def test_a_bucket_s_own_key_is_taken_where_no_other_is_named(s3_bucket: str, s3_endpoint: str) -> None:
    """A header that names a kind of encryption goes before the bucket's: money lies under Amazon's key."""
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "the-bucket-s"}
    }
    client.put_bucket_encryption(Bucket=s3_bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    store = S3Store(S3StoreOptions(s3_bucket, "", s3_endpoint))
    await store.put("k", b"body")
    await store.close()
    head = client.head_object(Bucket=s3_bucket, Key="k")
    client.close()
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "the-bucket-s")


@pytest.mark.parametrize(("kms_key_id", "wanted"), [("", (None, None)), ("a-key", ("aws:kms", "a-key"))])
async def test_objects_in_a_bucket_are_encrypted_and_carry_their_sha256(
    s3_bucket: str, s3_endpoint: str, kms_key_id: str, wanted: tuple[str | None, str | None]
) -> None:
    store = S3Store(S3StoreOptions(s3_bucket, "", s3_endpoint, kms_key_id))
    await store.put("k", b"body")
    await store.close()
    client = boto3.client("s3", endpoint_url=s3_endpoint)
    head = client.head_object(Bucket=s3_bucket, Key="k", ChecksumMode="ENABLED")
    client.close()
    # Amazon encrypts everything; the emulator says so only where it was told.
    assert head.get("ServerSideEncryption") in (wanted[0], wanted[0] or "AES256")
    assert wanted[1] is None or wanted[1] in head["SSEKMSKeyId"]
    assert base64.b64decode(head["ChecksumSHA256"]) == hashlib.sha256(b"body").digest()


@pytest.mark.usefixtures("s3_bucket")
async def test_absent_server_and_absent_bucket_are_errors_within_the_deadline(s3_endpoint: str) -> None:
    for options in (
        S3StoreOptions("nobody", "", f"http://127.0.0.1:{free_port()}", deadline_ms=5_000),
        S3StoreOptions("no-such-bucket", "", s3_endpoint, deadline_ms=5_000),
    ):
        store = S3Store(options)
        for call in (store.put("k", b""), store.get("k"), store.keys(""), store.delete("k")):
            with pytest.raises(ObjectStoreError):
                await call
        await store.close()


@pytest.mark.usefixtures("s3_bucket")
async def test_silent_server_is_left_at_the_deadline_and_others_are_bounded() -> None:
    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()

    silent = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    store = S3Store(S3StoreOptions("bucket", "", f"http://127.0.0.1:{port}", deadline_ms=300))
    try:
        results = await asyncio.gather(*(store.get("k") for _ in range(80)), return_exceptions=True)
        assert all(isinstance(result, ObjectStoreError) for result in results)
        assert any("are waiting" in str(result) for result in results)
    finally:
        await store.close()
        silent.close()


async def test_half_written_file_is_no_object_and_is_swept_once_old(tmp_path: Path) -> None:
    await FolderStore(tmp_path).put("a/b", b"x")
    old, fresh = tmp_path / "a" / "c.1.partial", tmp_path / "a" / "d.2.partial"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7_200,) * 2)
    store = FolderStore(tmp_path)
    assert await store.keys("") == ["a/b"]
    await store.put("a/e", b"y")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["b", "d.2.partial", "e"]


async def test_full_or_forbidden_folder_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FolderStore(tmp_path / "file")
    with pytest.raises(ObjectStoreError):
        await store.put("k", b"x")


@pytest.mark.parametrize("place", ["s3://", "s3://UPPER", "http://bucket", "folder:", "bucket"])
async def test_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="object_store"):
        async with open_object_store(Settings(object_store=place)):
            pass


async def test_settings_choose_the_store(tmp_path: Path, s3_bucket: str, s3_endpoint: str) -> None:
    places = [f"folder:{tmp_path}/x", f"s3://{s3_bucket}/a/b/", f"s3://{s3_bucket}"]
    for place in places:
        settings = Settings(object_store=place, s3_endpoint_url=s3_endpoint)
        async with open_object_store(settings) as store:
            assert await store.put("k", place.encode())
    for place in places:
        settings = Settings(object_store=place, s3_endpoint_url=s3_endpoint)
        async with open_object_store(settings) as store:
            assert await store.get("k") == place.encode()
    async with open_object_store(Settings(data_dir=tmp_path)) as store:
        assert await store.get("x/k") == places[0].encode()
