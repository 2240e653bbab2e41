"""What tests look through: clients of the hub, and a local book kept by Binance's rules."""

from collections.abc import Mapping
from typing import Any

import orjson

from services.market_data.streams.hub import Client, Hub

Message = dict[str, Any]


class HubClient:
    """A subscriber without a socket."""

    def __init__(self, hub: Hub, *names: str, combined: bool = False, microseconds: bool = False) -> None:
        self.client = Client(combined=combined, microseconds=microseconds)
        hub.connect(self.client)
        hub.subscribe(self.client, names)

    def take(self) -> list[Message]:
        """Everything queued since the last call."""
        frames = self.client.take_frames()
        return [orjson.loads(frame.payload) for frame in frames]


class LocalBook:
    """A book kept by the rules of binance-spot-api 4 ("Depth contract"); asserts that no id is missing.

    Events are buffered until the snapshot has come; a snapshot older than the first event is refused.
    """

    def __init__(self) -> None:
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.last_id: int | None = None
        self.buffer: list[Message] = []
        self.applied = 0

    def on_event(self, event: Message) -> None:
        """Take an event of the stream."""
        if self.last_id is None:
            self.buffer.append(event)
            return
        if event["u"] <= self.last_id:
            return
        if self.applied == 0:
            assert event["U"] <= self.last_id + 1 <= event["u"]
        else:
            assert event["U"] == self.last_id + 1
        self._change(self.bids, event["b"])
        self._change(self.asks, event["a"])
        self.last_id = event["u"]
        self.applied += 1

    def on_snapshot(self, snapshot: Mapping[str, Any]) -> None:
        """Take the answer of GET /depth."""
        if self.buffer:
            assert snapshot["lastUpdateId"] >= self.buffer[0]["U"], "the snapshot is older than the stream"
            assert snapshot["lastUpdateId"] >= self.buffer[-1]["u"], "REST is behind what was sent"
        self.bids = {price: quantity for price, quantity in snapshot["bids"]}
        self.asks = {price: quantity for price, quantity in snapshot["asks"]}
        self.last_id = snapshot["lastUpdateId"]
        events, self.buffer = self.buffer, []
        for event in events:
            self.on_event(event)

    @staticmethod
    def _change(side: dict[str, str], levels: list[list[str]]) -> None:
        for price, quantity in levels:
            if float(quantity) == 0:
                side.pop(price, None)
            else:
                side[price] = quantity
