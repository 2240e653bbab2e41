"""When a key is asked for, when it is remembered, and for how long: with a clock and a database of the test's
own.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from exchange.security import credentials as module
from exchange.security.credentials import (
    ApiKey,
    CredentialsUnavailableError,
    PostgresCredentials,
    hash_api_key,
)
from tests.at_work import settle

KEY, OTHER = "A" * 64, "B" * 64


class Database:
    """Knows the keys in `valid`. Refuses while `is_away`, answers nothing while `answers` is clear."""

    def __init__(self) -> None:
        self.valid = {KEY, OTHER}
        self.is_away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.asked: list[bytes] = []

    @asynccontextmanager
    async def acquire(self, timeout: float) -> "AsyncIterator[Database]":
        if self.is_away:
            raise OSError("refused")
        yield self

    async def fetchrow(self, _: str, key_hash: bytes, timeout: float) -> dict[str, Any] | None:
        self.asked.append(key_hash)
        await asyncio.wait_for(self.answers.wait(), timeout)
        for key in self.valid:
            if hash_api_key(key) == key_hash:
                return {
                    "api_key": key,
                    "user_id": 1001,
                    "kind": "ED25519",
                    "secret_encrypted": None,
                    "public_key_pem": "pem",
                    "permissions": ["TRADE"],
                    "ip_allow_list": [],
                    "last_used_ms": 2**62,  # nobody writes it down
                }
        return None


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Keys:
    """Credentials over both, that hear revocations while `hears` says so."""

    def __init__(self) -> None:
        self.database, self.clock = Database(), Clock()
        nothing = cast("Any", None)
        self.credentials = PostgresCredentials(
            cast("Any", self.database), nothing, nothing,
            database_deadline_ms=60_000, cache_deadline_ms=2_000, clock_s=self.clock,
        )  # fmt: skip
        self.credentials._heed({"type": "subscribe"})
        self.hear()

    def hear(self) -> None:
        """The channel has just answered."""
        self.credentials._heard_s = self.clock.now_s

    def pass_s(self, seconds: float, *, heard: bool = True) -> None:
        self.clock.now_s += seconds
        if heard:
            self.hear()

    def revoke(self, key: str) -> None:
        """As the user service does: the row, then the word."""
        self.database.valid.discard(key)
        self.credentials._heed({"type": "message", "data": hash_api_key(key).hex()})


def at_once(answer: Coroutine[Any, Any, ApiKey | None]) -> ApiKey | None:
    """What a coroutine gives that waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as end:
        return cast("ApiKey | None", end.value)
    answer.close()
    raise AssertionError("it waited")


@pytest.fixture
async def keys() -> AsyncIterator[Keys]:
    made = Keys()
    yield made
    made.database.answers.set()
    await made.credentials.stop()
    await asyncio.sleep(0)


async def test_a_known_key_outlives_a_database_that_refuses(keys: Keys) -> None:
    known = await keys.credentials.find(KEY)
    assert known is not None
    keys.database.is_away = True
    for _ in range(8):
        keys.pass_s(11.0)
        assert await keys.credentials.find(KEY) == known
    keys.pass_s(2.1)
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)
    keys.database.is_away = False
    assert await keys.credentials.find(KEY) == known


async def test_a_known_key_outlives_a_database_that_hangs_and_only_the_first_waits(keys: Keys) -> None:
    known = await keys.credentials.find(KEY)
    keys.database.answers.clear()
    keys.pass_s(6.0)
    assert await keys.credentials.find(KEY) == known
    for _ in range(50):
        assert at_once(keys.credentials.find(KEY)) == known
    assert len(keys.database.asked) == 2, "one question for all"


async def test_a_key_that_nobody_knows_is_not_judged_while_the_database_is_away(keys: Keys) -> None:
    keys.database.is_away = True
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find("C" * 64)
    keys.database.is_away = False
    assert await keys.credentials.find("C" * 64) is None


async def test_a_revoked_key_ends_at_once_also_while_the_database_is_away(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    await keys.credentials.find(OTHER)
    keys.database.is_away = True
    keys.pass_s(20.0)
    keys.revoke(KEY)
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)
    assert await keys.credentials.find(OTHER) is not None


async def test_a_key_revoked_while_a_request_waits_for_the_database_is_refused(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    keys.database.answers.clear()
    keys.pass_s(6.0)
    waiting = asyncio.create_task(keys.credentials.find(KEY))
    while len(keys.database.asked) < 2:
        await asyncio.sleep(0)
    keys.revoke(KEY)
    with pytest.raises(CredentialsUnavailableError):
        await waiting


async def test_who_comes_after_a_revocation_does_not_share_a_look_up_from_before(keys: Keys) -> None:
    keys.database.answers.clear()
    before = asyncio.create_task(keys.credentials.find(KEY))
    while not keys.database.asked:
        await asyncio.sleep(0)
    keys.credentials._heed({"type": "message", "data": hash_api_key(KEY).hex()})
    after = asyncio.create_task(keys.credentials.find(KEY))
    while len(keys.database.asked) < 2:
        await asyncio.sleep(0)
    keys.database.answers.set()
    await asyncio.gather(before, after)
    assert len(keys.database.asked) == 2


async def test_in_silence_a_key_ends_after_five_seconds(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    keys.database.is_away = True
    keys.pass_s(4.9, heard=False)
    assert await keys.credentials.find(KEY) is not None
    # Nothing failed on the channel, but nothing was heard for longer than it takes to ask and be answered.
    keys.pass_s(5.0, heard=False)
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)


async def test_a_lost_channel_ends_a_key_after_five_seconds(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    keys.database.is_away = True
    keys.credentials._following = False
    keys.pass_s(5.0)
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)


async def test_a_new_subscription_trusts_nothing_from_before(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    keys.database.is_away = True
    keys.credentials._heed({"type": "subscribe"})
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)


async def test_a_key_is_read_again_before_its_end_and_nobody_waits(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    for _ in range(10):
        keys.pass_s(module.REFRESH_S)
        assert at_once(keys.credentials.find(KEY)) is not None
        await settle()
    assert len(keys.database.asked) == 11
    # What was read ahead counts: revoked in the table, with no word of it, the key ends.
    keys.database.valid.discard(KEY)
    keys.pass_s(module.REFRESH_S)
    await keys.credentials.find(KEY)
    await settle()
    assert await keys.credentials.find(KEY) is None


async def test_an_answer_in_time_is_believed_before_an_old_key(keys: Keys) -> None:
    await keys.credentials.find(KEY)
    keys.database.valid.discard(KEY)
    keys.pass_s(30.0)
    assert await keys.credentials.find(KEY) is None


async def test_all_requests_with_one_key_ask_once(keys: Keys) -> None:
    keys.database.answers.clear()
    waiting = [asyncio.create_task(keys.credentials.find(KEY)) for _ in range(100)]
    await settle()
    waiting.pop().cancel()
    keys.database.answers.set()
    assert all(found is not None for found in await asyncio.gather(*waiting))
    assert len(keys.database.asked) == 1


async def test_look_ups_under_way_are_bounded(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_UPS_OF_UNKNOWN_MAX", 2)
    monkeypatch.setattr(module, "_LOOK_UPS_MAX", 3)
    known = await keys.credentials.find(OTHER)
    keys.database.answers.clear()
    waiting = [asyncio.create_task(keys.credentials.find(f"{n:064d}")) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CredentialsUnavailableError):
        await keys.credentials.find(KEY)
    keys.pass_s(6.0)
    # A flood of invented keys does not keep the known ones from being read again.
    again = asyncio.create_task(keys.credentials.find(OTHER))
    while keys.database.asked.count(hash_api_key(OTHER)) < 2:
        await asyncio.sleep(0)
    keys.database.answers.set()
    assert await asyncio.gather(*waiting) == [None, None]
    assert await again == known
