"""A whole body is read within its bounds, and a client that goes, dawdles or floods is told apart."""

import asyncio

import pytest
from starlette.types import Message

from exchange.http import bodies
from exchange.http.bodies import BodyRefusedError, whole_body


class Arriving:
    """What a server hands over, message by message; then nothing more comes."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)

    async def __call__(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_parts_become_one_body() -> None:
    assert await whole_body(Arriving(part(b"ab", more=True), part(b"cd", more=False)), 4) == b"abcd"
    assert await whole_body(Arriving({"type": "http.request"}), 0) == b""


@pytest.mark.parametrize(
    ("arriving", "status"),
    [
        (Arriving(part(b"abc", more=True), part(b"de", more=False)), 413),
        (Arriving(part(b"ab", more=True), {"type": "http.disconnect"}), 400),
        (Arriving(part(b"ab", more=True)), 408),
    ],
    ids=["too large", "gone", "slow"],
)
async def test_a_part_is_never_taken_for_the_whole(
    arriving: Arriving, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "DEADLINE_S", 0.01)
    with pytest.raises(BodyRefusedError) as refused:
        await whole_body(arriving, 4)
    assert refused.value.status == status
