"""A proxy in front of the emulator that refuses as DynamoDB and Kinesis do under load."""

import contextlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

__all__ = ["Throttling", "throttling"]

# What happens to the calls of one operation, in turn, so that none of it depends on how many there are.
_TURNS = ("part", "all", "part", "nothing", "part", "nothing", "part", "answer", "part", "nothing", "all")
_HEADERS_KEPT = ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date")


class Throttling:
    """Refuses parts of batches, whole calls, and loses answers of calls that were carried out."""

    def __init__(self, target: str, seed: int) -> None:
        print(f"seed {seed}")
        self._target = target
        self._random = random.Random(seed)
        self.refused: Counter[str] = Counter()
        self._turns: defaultdict[str, Iterator[str]] = defaultdict(lambda: cycle(_TURNS))
        self.on = True

    async def handle(self, request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = json.loads(await request.read())
        what = next(self._turns[operation]) if self.on else "nothing"
        if what == "all":
            self.refused[f"{operation}: all"] += 1
            error = {"__type": "ProvisionedThroughputExceededException", "message": "slower"}
            return web.json_response(error, status=400, content_type="application/x-amz-json-1.1")
        held_back = self._hold_back(operation, body) if what == "part" else None
        async with ClientSession(timeout=ClientTimeout(30)) as session:
            headers = {name: request.headers[name] for name in _HEADERS_KEPT if name in request.headers}
            async with session.post(self._target, data=json.dumps(body), headers=headers) as answer:
                status, said = answer.status, await answer.read()
        if what == "answer":
            self.refused[f"{operation}: answer lost"] += 1
            return web.Response(status=503)
        if held_back is not None and status == 200:
            self.refused[f"{operation}: part"] += 1
            said = json.dumps(held_back(json.loads(said))).encode()
        return web.Response(status=status, body=said, content_type="application/x-amz-json-1.1")

    def _hold_back(self, operation: str, body: dict[str, Any]) -> Any:
        """Take some out of a batch; the function that says so in the answer."""
        if operation == "PutRecords" and len(body["Records"]) > 1:
            kept = [self._random.random() < 0.5 for _ in body["Records"]]
            kept[self._random.randrange(len(kept))] = True
            body["Records"] = [r for r, keep in zip(body["Records"], kept, strict=True) if keep]

            def with_refused(answer: dict[str, Any]) -> dict[str, Any]:
                taken = iter(answer["Records"])
                refused = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slower"}
                records = [next(taken) if keep else refused for keep in kept]
                return answer | {"Records": records, "FailedRecordCount": kept.count(False)}

            return with_refused
        if operation == "BatchWriteItem":
            ((table, requests),) = body["RequestItems"].items()
            self._random.shuffle(requests)
            cut = self._random.randint(1, len(requests))
            body["RequestItems"], left = {table: requests[:cut]}, requests[cut:]
            return lambda answer: answer | {"UnprocessedItems": {table: left} if left else {}}
        return None


@contextlib.asynccontextmanager
async def throttling(target: str, seed: int) -> AsyncIterator[tuple[Throttling, str]]:
    """The proxy and its URL."""
    proxy = Throttling(target, seed)
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/", proxy.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield proxy, f"http://{host}:{port}"
    finally:
        await runner.cleanup()
