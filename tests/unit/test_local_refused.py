"""The log of `make run` has a line for each refused request, and no more lines than somebody could read."""

import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from exchange.http.direct_answers import Answer
from local.refused import LINES_PER_S_MAX, RefusedRequests

REFUSED = b'{"code":-2010,"msg":"Account has insufficient balance for requested action."}'


def scope(path: str = "/api/v3/order", kind: str = "http") -> Scope:
    headers = [(b"x-mbx-apikey", b"abcdefghijklmnop")]
    described = {"type": kind, "path": path, "client": ("127.0.0.1", 5), "headers": headers}
    return described | ({"method": "POST"} if kind == "http" else {})


async def nothing() -> Message:
    return {"type": "http.request"}


async def answered(refused: RefusedRequests, messages: list[Message], of: Scope) -> list[Message]:
    """What comes through of an application that says `messages`."""
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def send(message: Message) -> None:
        sent.append(message)

    await refused.seen(app)(of, nothing, send)
    return sent


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "local.refused"]


def answer(status: int, *parts: bytes) -> list[Message]:
    return [
        {"type": "http.response.start", "status": status, "headers": []},
        *({"type": "http.response.body", "body": part, "more_body": True} for part in parts),
    ]


async def test_each_way_of_an_answer_is_seen_and_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refused = RefusedRequests(lambda: 1.0)
    told = f"refused: POST /api/v3/order of 127.0.0.1 key abcdef...: 400 {REFUSED.decode()}"
    messages = answer(400, REFUSED, b"and more")
    assert await answered(refused, messages, scope()) == messages
    assert lines(caplog) == [told]

    async def handler(_: Scope, __: Receive, ___: bytes | None) -> Answer | None:
        return Answer(400, [], REFUSED)

    found = await refused.seen_directly({"/api/v3/order": handler})["/api/v3/order"](scope(), nothing, b"")
    assert found == Answer(400, [], REFUSED)
    assert lines(caplog) == [told, told]
    frame = f'{{"id":1,"status":400,"error":{REFUSED.decode()}}}'
    await answered(refused, [{"type": "websocket.send", "text": frame}], scope("/ws-api/v3", "websocket"))
    assert lines(caplog)[2] == f"refused: WebSocket /ws-api/v3 of 127.0.0.1 key abcdef...: {frame}"


async def test_what_was_done_and_streams_leave_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    refused = RefusedRequests(lambda: 1.0)
    await answered(refused, answer(200, b'{"error":{"code":1}}'), scope())
    await answered(
        refused, [{"type": "websocket.send", "text": '{"error":{"code":2}}'}], scope("/ws", "websocket")
    )
    await answered(refused, [{"type": "websocket.send", "bytes": b"x"}], scope("/ws-api/v3", "websocket"))
    assert lines(caplog) == []


async def test_a_request_cannot_write_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await answered(
        RefusedRequests(lambda: 1.0), answer(404, b"a\nb\xff" * 999), scope("/x\n2026 ERROR" + "y" * 999)
    )
    (line,) = lines(caplog)
    assert "\n" not in line
    assert "/x\\x0a2026 ERROR" in line
    assert len(line) < 2_000


async def test_a_loop_of_refusals_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [1.0]
    refused = RefusedRequests(lambda: now[0])
    for _ in range(LINES_PER_S_MAX + 7):
        await answered(refused, answer(400, REFUSED), scope())
    assert len(lines(caplog)) == LINES_PER_S_MAX
    now[0] = 2.5
    await answered(refused, answer(400, REFUSED), scope())
    assert lines(caplog)[LINES_PER_S_MAX] == "7 more were refused, and are left out"
    assert len(lines(caplog)) == LINES_PER_S_MAX + 2
