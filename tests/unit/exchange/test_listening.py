"""What the port that a service binds is like to those who connect."""

import asyncio
import socket
from collections.abc import Callable

import pytest
import uvloop

from exchange.http.server import bind


@pytest.mark.parametrize("new_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_the_end_of_an_answer_waits_for_no_acknowledgement_of_its_beginning(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Nagle's algorithm is off on every connection, on either loop."""

    async def connected() -> int:
        is_off: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            is_off.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = bind("127.0.0.1", 0)
        async with await asyncio.start_server(accept, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await is_off

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(connected()) != 0
