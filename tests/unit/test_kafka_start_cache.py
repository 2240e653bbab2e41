"""Promises of local/servers/kafka_start_cache.py: made once, by one process; what cannot be made
stops nobody."""

import asyncio
from pathlib import Path

import pytest

from local.servers import ServerError, kafka_start_cache


class Training:
    """What stands for the broker's run; `error` is what comes of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.error = error
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, cache: Path) -> None:
        self.runs += 1
        cache.write_bytes(b"classes")
        await self.may_end.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "runtime" / "bin").mkdir(parents=True)
    (tmp_path / "runtime" / "release").write_text('JAVA_VERSION="25.0.2"\n')
    return tmp_path / "runtime" / "bin" / "java"


JARS = Path("kafka-0123")


def files(java: Path) -> list[str]:
    return sorted(path.suffix for path in (java.parents[2] / "cache" / "exchange").iterdir())


async def test_it_is_made_once(java: Path) -> None:
    train = Training()
    made = [await kafka_start_cache.ensure(java, JARS, train) for _ in range(2)]
    assert made[0] is not None
    assert made[0] == made[1]
    assert made[0].read_bytes() == b"classes"
    assert train.runs == 1
    assert files(java) == [".aot", ".lock"]


async def test_another_java_has_another(java: Path) -> None:
    train = Training()
    first = await kafka_start_cache.ensure(java, JARS, train)
    (java.parents[1] / "release").write_text('JAVA_VERSION="26"\n')
    second = await kafka_start_cache.ensure(java, JARS, train)
    assert first != second
    assert train.runs == 2


@pytest.mark.parametrize("error", [ServerError("kafka ended with code 1"), OSError(28, "disk full")])
async def test_what_fails_is_told_remembered_and_leaves_nothing(java: Path, error: Exception) -> None:
    train, told = Training(error), list[str]()
    for _ in range(2):
        assert await kafka_start_cache.ensure(java, JARS, train, told.append) is None
    assert train.runs == 1
    assert any("not possible" in line for line in told)
    assert files(java) == [".failed", ".lock"]


async def test_who_comes_meanwhile_starts_without(java: Path) -> None:
    train = Training()
    train.may_end.clear()
    first = asyncio.create_task(kafka_start_cache.ensure(java, JARS, train))
    while not train.runs:
        await asyncio.sleep(0)
    assert await kafka_start_cache.ensure(java, JARS, train) is None
    train.may_end.set()
    assert await first is not None
    assert train.runs == 1


async def test_a_cancelled_one_leaves_nothing_and_is_tried_again(java: Path) -> None:
    train = Training()
    train.may_end.clear()
    first = asyncio.create_task(kafka_start_cache.ensure(java, JARS, train))
    while not train.runs:
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert files(java) == [".lock"]
    train.may_end.set()
    assert await kafka_start_cache.ensure(java, JARS, train) is not None
