"""Asks a door from a process of its own: `python door_asker.py PORT`, a JSON list of requests on its input.

Imports little, as it starts once for each batch of `door_cost`. Each connection asks again as soon as it is
answered; two lines say when it begins and when it ends.
"""

import asyncio
import json
import sys

CONNECTIONS = 16
LENGTH = b"content-length: "


async def ask(port: int, requests: list[bytes]) -> None:
    """Ask all, over some connections."""
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    print("begin", flush=True)

    async def turns(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while requests:
            writer.write(requests.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.partition(LENGTH)[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))

    await asyncio.gather(*(turns(*stream) for stream in streams))
    print("end", flush=True)
    for _, writer in streams:
        writer.close()


if __name__ == "__main__":
    asked = [text.encode() for text in json.loads(sys.stdin.buffer.read())]
    asyncio.run(ask(int(sys.argv[1]), asked))
