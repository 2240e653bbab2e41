"""A message to thousands of clients leaves others their turn, and changes nothing of what each gets."""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from functools import partial

from exchange.http.fair_turns import call_in_next_round
from services.market_data.streams.deliveries import MESSAGES_PER_TURN, WAITING_MAX, Deliveries, Frame
from services.market_data.streams.hub import Client, Hub

NAMES = ["btcusdt@depth@100ms", "btcusdt@trade", "ethusdt@depth@100ms"]


class Turns:
    """The turns of a loop, taken one by one."""

    def __init__(self) -> None:
        self.asked: deque[Callable[[], None]] = deque()

    def ask(self, callback: Callable[[], None]) -> None:
        self.asked.append(callback)

    def take(self) -> bool:
        """One turn; whether there was anything to do."""
        callbacks, self.asked = self.asked, deque()
        for callback in callbacks:
            callback()
        return bool(callbacks)


def connected(hub: Hub, count: int) -> list[Client]:
    clients = [Client(combined=False, microseconds=False) for _ in range(count)]
    for client in clients:
        hub.connect(client)
        hub.subscribe(client, [NAMES[0]])
    return clients


def text(what: object, scale: int) -> bytes:
    return f"{what} x {scale}".encode()


def got(client: Client) -> list[bytes]:
    return [frame.payload for frame in client.take_frames()]


async def test_others_have_their_turn_while_thousands_get_a_message() -> None:
    hub = Hub()
    hub.take_turns(call_in_next_round)
    clients = connected(hub, 20 * MESSAGES_PER_TURN)
    reached: list[int] = []
    for number in range(3):
        hub.publish(NAMES[0], partial(text, number))
    while not reached or reached[-1] < 3 * len(clients):
        reached.append(sum(len(client._queue) for client in clients))
        await asyncio.sleep(0)
    steps = [after - before for before, after in zip([0, *reached], reached, strict=False)]
    assert max(steps) == MESSAGES_PER_TURN
    assert 0 not in steps, "each turn delivers"
    assert {tuple(got(client)) for client in clients} == {(b"0 x 1", b"1 x 1", b"2 x 1")}


def test_small_messages_of_many_topics_are_bounded_together() -> None:
    hub, turns = Hub(), Turns()
    hub.take_turns(turns.ask)
    clients = [Client(combined=False, microseconds=False) for _ in range(40)]
    names = [f"m{number}usdt@trade" for number in range(40)]
    for client in clients:
        hub.connect(client)
        hub.subscribe(client, names)
    for name in names:
        hub.publish(name, partial(text, name))
    assert sum(len(client._queue) for client in clients) == MESSAGES_PER_TURN
    while turns.take():
        pass
    assert {tuple(got(client)) for client in clients} == {tuple(text(name, 1) for name in names)}


def test_each_client_gets_what_it_would_get_without_turns() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    for run in range(5):
        chance, turns = random.Random(seed + run), Turns()
        plain, taking = Hub(), Hub()
        taking.take_turns(turns.ask)
        pairs: list[tuple[Client, Client]] = []
        for step in range(600):
            dice = chance.randrange(100)
            if dice < 40 and len(pairs) < 500:
                combined, micro = chance.random() < 0.3, chance.random() < 0.3
                pair = (
                    Client(combined=combined, microseconds=micro),
                    Client(combined=combined, microseconds=micro),
                )
                for hub, client in zip((plain, taking), pair, strict=True):
                    hub.connect(client)
                    hub.subscribe(client, NAMES[:2])
                pairs.append(pair)
            elif dice < 70:
                name = chance.choice(NAMES)
                for hub in (plain, taking):
                    hub.publish(name, partial(text, step))
            elif dice < 80 and pairs:
                names = chance.sample(NAMES, 2)
                leaves = chance.random() < 0.5
                for hub, client in zip((plain, taking), chance.choice(pairs), strict=True):
                    (hub.unsubscribe if leaves else hub.subscribe)(client, names)
                    hub.send(client, b"answer %d" % step)
            elif dice < 85 and pairs:
                for hub, client in zip((plain, taking), chance.choice(pairs), strict=True):
                    client.combined = not client.combined
                    hub.send(client, b"answer %d" % step)
            else:
                turns.take()
        while turns.take():
            pass
        for expected, client in pairs:
            assert got(client) == got(expected)


def test_what_waits_is_bounded_and_the_rest_is_delivered_at_once() -> None:
    deliveries, turns = Deliveries(), Turns()
    deliveries.next_turn = turns.ask
    clients = connected(Hub(), 1_000)
    for number in range(2 * WAITING_MAX // len(clients)):
        deliveries.add(Frame(b"%d" % number), clients)
        assert deliveries.waiting <= WAITING_MAX
    assert deliveries.waiting > WAITING_MAX // 2
    deliveries.finish()
    assert deliveries.waiting == 0
    assert len({tuple(got(client)) for client in clients}) == 1


def test_the_last_word_is_said_before_the_hub_goes_on() -> None:
    hub, turns = Hub(), Turns()
    hub.take_turns(turns.ask)
    clients = connected(hub, 3 * MESSAGES_PER_TURN)
    hub.publish(NAMES[0], lambda scale: b"one")
    hub.send_to_all(lambda scale: b"bye", "!bye")
    assert {tuple(got(client)) for client in clients} == {(b"one", b"bye")}
