"""Event streams for tests: by hand from events, or from a real engine fed with random commands."""

import itertools
import random
from collections.abc import Sequence

from exchange.contracts import codes
from exchange.contracts.codec import (
    EMPTY_CHAIN_HASH,
    CommandOutcome,
    EventBatch,
    RecordedEvent,
    chain_hash,
    encode_events,
)
from exchange.contracts.commands import (
    CancelAllOrders,
    CancelOrder,
    Command,
    CreditDeposit,
    PlaceOrder,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
)
from exchange.contracts.events import Event
from matching_engine.core.engine import Engine
from matching_engine.genesis import genesis_commands
from tests.fee_traffic import fee_command

START_MS = 1_700_000_000_000
ONE = 10**8
USERS = (1001, 1002, 1003, 1004, 1005)
PRICE_TICKS = {1: 5_000_000, 2: 250_000}
LOTS_MAX = {1: 2_000, 2: 4_000}


class EventStream:
    """Numbers and hashes events as the engine does; one outcome an `append`."""

    def __init__(self, shard: int = 0) -> None:
        self.shard = shard
        self.seq = 0
        self.hash = EMPTY_CHAIN_HASH
        self.outcomes: list[CommandOutcome] = []
        self._recorded = 0

    def append(
        self,
        *events: Event,
        time_ms: int | None = None,
        command_id: int | None = None,
        place: tuple[int, int] | None = None,
    ) -> CommandOutcome:
        """Add the outcome of one command. `place`: its record of the command log and its index there."""
        number = len(self.outcomes)
        offset, index = (number, 0) if place is None else place
        time_ms = START_MS + number if time_ms is None else time_ms
        command_id = number + 1 if command_id is None else command_id
        recorded = []
        for event in events:
            self.seq += 1
            self.hash = chain_hash(self.hash, self.seq, offset, index, command_id, time_ms, event)
            recorded.append(RecordedEvent(self.seq, self.hash, event))
        outcome = CommandOutcome(offset, index, command_id, time_ms, tuple(recorded))
        self.outcomes.append(outcome)
        return outcome

    def record(self, outcomes: Sequence[CommandOutcome]) -> bytes:
        """Bytes of one record of the event log."""
        return encode_events(EventBatch(self.shard, 1, tuple(outcomes)))

    def take_record(self) -> bytes:
        """One record with everything since the last call."""
        fresh = self.outcomes[self._recorded :]
        self._recorded = len(self.outcomes)
        return self.record(fresh)

    def take_records(self, outcomes_per_record: int) -> list[bytes]:
        """Everything since the last call, cut into records."""
        fresh = self.outcomes[self._recorded :]
        self._recorded = len(self.outcomes)
        return [
            self.record(fresh[first : first + outcomes_per_record])
            for first in range(0, len(fresh), outcomes_per_record)
        ]


class EngineStream(EventStream):
    """The events of a real engine that starts with the genesis markets."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.apply(*genesis_commands())

    def apply(self, *commands: Command) -> list[CommandOutcome]:
        """Let the engine decide; its events join the stream."""
        return [
            self.append(
                *self.engine.apply(command, START_MS + len(self.outcomes)), command_id=command.command_id
            )
            for command in commands
        ]


class RandomTrading:
    """Feeds an engine with every kind of command around one price; the same seed, the same stream."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stream = EngineStream()
        self._command_id = 1_000
        self._references = 0
        for user_id in USERS:
            for asset_id, amount in ((1, 50 * ONE), (2, 900 * ONE), (3, 3_000_000 * ONE)):
                self._references += 1
                self.stream.apply(CreditDeposit(self._id(), user_id, asset_id, amount, self._references))

    def run(self, commands: int) -> None:
        """Apply that many random commands."""
        for _ in range(commands):
            self.stream.apply(self._command())

    def _id(self) -> int:
        self._command_id += 1
        return self._command_id

    def _command(self) -> Command:
        dice = self.random.random()
        user_id = self.random.choice(USERS)
        market_id = self.random.choice((1, 2))
        if dice < 0.70:
            return self._order(user_id, market_id)
        if dice < 0.90:
            return self._cancel(user_id, market_id)
        if dice < 0.91:
            return CancelAllOrders(self._id(), user_id, market_id, "sweep", 0)
        if dice < 0.94:
            self._references += 1
            return CreditDeposit(self._id(), user_id, self.random.randint(1, 3), ONE, self._references)
        if dice < 0.98:
            return self._withdrawal(user_id)
        if dice < 0.985:
            return fee_command(self.random, self._id(), USERS, (1, 2), (1, 2, 3))
        # Mostly back to trading, so that the stream does not dry up.
        mode = codes.MODE_TRADING if self.random.random() < 0.8 else codes.MODE_POST_ONLY
        return SetTradingMode(self._id(), self.random.choice((0, market_id)), mode)

    def _order(self, user_id: int, market_id: int) -> PlaceOrder:
        pick = self.random
        order_type = pick.choices((codes.LIMIT, codes.MARKET, codes.LIMIT_MAKER), (80, 12, 8))[0]
        in_force = pick.choices((codes.GTC, codes.IOC, codes.FOK), (85, 10, 5))[0]
        lots = pick.randint(60, LOTS_MAX[market_id])
        price = PRICE_TICKS[market_id] + pick.randint(-60, 60)
        quote = 0
        if order_type == codes.MARKET:
            price = 0
            if pick.random() < 0.3:
                lots, quote = 0, pick.randint(10, 5_000) * ONE
        if order_type != codes.LIMIT:
            in_force = codes.GTC
        stp_mode = pick.randint(codes.STP_NONE, codes.STP_EXPIRE_BOTH)
        side = pick.choice((codes.BUY, codes.SELL))
        command_id = self._id()
        name = f"c{command_id}"
        return PlaceOrder(
            command_id, user_id, market_id, name, side, order_type, in_force, price, lots, quote, stp_mode, 0
        )

    def _cancel(self, user_id: int, market_id: int) -> CancelOrder:
        own = [
            o for o in self.stream.engine.orders.values() if o.user_id == user_id and o.market_id == market_id
        ]
        order_id = self.random.choice(own).order_id if own else 999_999
        return CancelOrder(self._id(), user_id, market_id, order_id, "", f"x{order_id}", codes.CANCEL_ANY, 0)

    def _withdrawal(self, user_id: int) -> Command:
        pending = list(self.stream.engine.withdrawals)
        if pending and self.random.random() < 0.5:
            withdrawal_id = self.random.choice(pending)
            if self.random.random() < 0.7:
                return SettleWithdrawal(self._id(), withdrawal_id)
            return ReleaseWithdrawal(self._id(), withdrawal_id)
        self._references += 1
        amount = self.random.randint(1, ONE)
        return ReserveWithdrawal(
            self._id(), user_id, self.random.randint(1, 3), amount, self._references, "bc1qlocal"
        )


def stretched(trading: RandomTrading, gap_ms: int = 61_003) -> EventStream:
    """The same events with so much time between them, instead of a millisecond."""
    stream = EventStream()
    moments = itertools.count(START_MS, gap_ms)
    for outcome in trading.stream.outcomes:
        events = [recorded.event for recorded in outcome.events]
        stream.append(*events, time_ms=next(moments), command_id=outcome.command_id)
    return stream
