"""Turns: so many at once, so many waiting, and nobody for ever."""

import asyncio

import pytest

from exchange.process.turns import NoTurnError, Turns


async def test_no_more_at_once_than_allowed_and_all_get_their_turn() -> None:
    turns, at_work, most = Turns(3, wait_s=60), 0, 0

    async def work() -> None:
        nonlocal at_work, most
        async with turns.turn():
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert (most, at_work) == (3, 0)


async def test_who_waits_too_long_or_behind_too_many_is_refused() -> None:
    turns = Turns(1, wait_s=0.05, waiting_max=2)
    async with turns.turn():

        async def wait() -> None:
            async with turns.turn():
                raise AssertionError("the turn is taken")

        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NoTurnError):
            await wait()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [NoTurnError, NoTurnError]
    async with turns.turn():
        pass


async def test_a_turn_is_given_back_by_who_fails_or_leaves() -> None:
    turns = Turns(1, wait_s=60)
    with pytest.raises(ValueError, match="no"):
        async with turns.turn():
            raise ValueError("no")
    async with turns.turn():
        leaver = asyncio.create_task(turns.turn().__aenter__())
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
    async with asyncio.timeout(60), turns.turn():
        pass
