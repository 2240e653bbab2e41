"""Orders of every kind from the real engine: ledger, hot book, view and auditor find all equal."""

import pytest

from exchange.adapters.files.objects import FolderStore
from exchange.contracts.commands import Command
from exchange.contracts.events import CommandRejected
from exchange.contracts.tables import EVENTS
from exchange.process.components import Resources
from matching_engine.core.engine import Engine
from services.auditor.component import Auditor
from services.order.view.bootstrap import load_view
from services.order.view.history import History, OrderPage
from services.order.view.model import AccountView
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.ledger.reconcile import reconcile
from tests.event_streams import START_MS, EventStream
from tests.integration.auditor.test_auditor import OFTEN_S, until_compared
from tests.integration.projections.conftest import Running, publish
from tests.property.terms_traffic import MARKETS, USERS, TermsTraffic, genesis

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class TermsStream(EventStream):
    """The events of an engine under the random traffic of a seed."""

    def __init__(self, seed: int) -> None:
        print(f"seed {seed}")
        super().__init__()
        self.engine = Engine()
        self.traffic = TermsTraffic(seed)
        for command in genesis():
            self.decide(command)

    def decide(self, command: Command) -> None:
        self.append(*self.engine.apply(command, START_MS + len(self.outcomes)))

    def run(self, commands: int) -> None:
        for command in self.traffic.take(commands):
            self.decide(command)


@pytest.mark.parametrize("seed", [7001])
async def test_all_kinds_of_orders_are_equal_in_every_store(resources: Resources, seed: int) -> None:
    stream = TermsStream(seed)
    auditor = Auditor(resources, FolderStore(resources.settings.data_dir), compare_every_s=OFTEN_S)
    running = Running([LedgerProjection(resources), BookProjection(resources), auditor])
    stream.run(100)
    await publish(resources, stream)
    await running.start()
    for _ in range(4):
        stream.run(200)
        await publish(resources, stream, outcomes_per_record=7)
        await until_compared(running, 1)
        assert auditor.alarm.breach is None, auditor.alarm.breach
    await running.until(lambda: auditor.state.seq == stream.seq)
    await until_compared(running)
    await running.stop()

    told = {type(recorded.event) for outcome in stream.outcomes for recorded in outcome.events}
    orders = {cls for cls, _ in EVENTS.values() if cls.__module__.endswith("order_events")}
    assert orders <= told, "each kind has come"
    assert CommandRejected in told
    followed = AccountView()
    for outcome in stream.outcomes:
        followed.apply(outcome)
    history = History(resources.database, resources.history_turns, 0, 5.0)
    async with resources.database.acquire() as connection:
        assert await reconcile(connection) == []
        loaded, _ = await load_view(connection, 0, 5.0)
    for user in USERS:
        assert loaded.balances[user] == followed.balances[user]
        assert loaded.open_orders(user) == followed.open_orders(user)
        assert loaded.lists.open_of(user) == followed.lists.open_of(user)
        for market in MARKETS:
            stored = await history.orders(OrderPage(user, market, None, None, None, 500))
            assert stored == [followed.order(order.order_id) for order in stored]
