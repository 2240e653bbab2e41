"""docs/runbooks/EngineHalted.md, followed to its end while every service runs."""

import asyncio
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from exchange.adapters.chosen.market_history import HistoryTables
from exchange.adapters.files.history import FolderTable
from exchange.adapters.files.key import FileKeyWrapper
from exchange.adapters.files.objects import FolderStore
from exchange.adapters.files.topic import FileTopic
from exchange.adapters.postgres.queue import DatabaseQueue
from exchange.contracts import codes
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import Command, CreditDeposit, PlaceOrder
from exchange.contracts.events import CommandRejected, Outcome
from exchange.process.components import Component, Resources
from exchange.process.config import Settings
from exchange.security.credentials import PostgresCredentials
from matching_engine.core.engine import Engine
from matching_engine.core.shard import PoisonError
from matching_engine.genesis import write_genesis
from matching_engine.poison import PoisonNotes, PoisonWatch
from matching_engine.runner import EngineRunner
from matching_engine.snapshots import Snapshots
from services.archive.component import archivers
from services.auditor.component import Auditor
from services.market_data.component import MarketDataService
from services.market_history.main import followers as history_followers
from services.notifier.component import components_for as notifier_components
from services.operator import main as command_line
from services.operator.desk import OperatorDesk
from services.operator.markets import commands
from services.operator.orders import Order, SetMode, Signed, SkipOne
from services.order.component import OrderService
from services.projections.book.projection import BookProjection
from services.projections.ledger.projection import LedgerProjection
from services.projections.withdrawals import WithdrawalSettler
from services.user.component import UserService
from tests.at_work import eventually, open_resources
from tests.integration.projections.conftest import Running
from tests.integration.user.conftest import settings

__all__ = ["settings"]

pytestmark = pytest.mark.integration

ALICE, BTCUSDT, BTC, USDT, ONE = 1001, 1, 1, 3, 10**8
POISON = 987_654
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "EngineHalted.md"


@pytest.fixture
def poisoned_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = Engine.decide

    def breaks(self: Engine, command: Command, time_ms: int, events: Outcome) -> None:
        if isinstance(command, CreditDeposit) and command.deposit_id == POISON:
            raise AssertionError("a promise is broken")
        decide(self, command, time_ms, events)

    monkeypatch.setattr(Engine, "decide", breaks)


class World:
    """Everything that reads the logs, and engines that come and go."""

    def __init__(self, resources: Resources, folder: Path) -> None:
        self.resources = resources
        self.folder = folder
        self.key = Ed25519PrivateKey.generate()
        self.engine = self.fresh_engine()
        self.store = FolderStore(folder / "objects")
        self.ledger, self.auditor = LedgerProjection(resources), Auditor(resources, self.store)
        self.order = OrderService(resources, PostgresCredentials.from_resources(resources))
        self.market_data, self.user = MarketDataService(resources), UserService(resources)
        self.history = HistoryTables(*(FolderTable(folder / "history", n) for n in ("candles", "trades")))

    def fresh_engine(self) -> EngineRunner:
        return EngineRunner(
            self.resources.command_log,
            self.resources.event_log,
            Snapshots(FolderStore(self.folder / "snapshots")),
            shard_number=0,
            snapshot_every_commands=10**9,
            poison=PoisonWatch(PoisonNotes(self.folder / "poison.json"), self.key.public_key()),
        )

    def services(self) -> list[Component]:
        resources = self.resources
        queue = DatabaseQueue(resources.database, 5_000, 3)
        return [
            self.ledger,
            BookProjection(resources),
            WithdrawalSettler(resources),
            *archivers(resources.settings, resources.command_log, resources.event_log, self.store),
            self.order,
            self.market_data,
            self.user,
            self.auditor,
            *notifier_components(resources, queue, FileTopic(self.folder / "notices.jsonl"), None),
            *history_followers(resources.settings, resources.event_log, self.history, None),
        ]

    async def send(self, *commands: Command) -> int:
        writer = await self.resources.command_log.writer()
        return await writer.append(encode_commands(list(commands)))

    def seqs(self) -> set[int]:
        """Where each reader stands that tells."""
        return {
            self.ledger.last_seq,
            self.auditor.state.seq,
            self.order.engine.view.seq,
            self.market_data.markets.state.seq,
        }


def orders_of_the_page(monkeypatch: pytest.MonkeyPatch, key: Path, offset: int, index: int) -> list[Order]:
    """What the page's blocks order, in their order, read by the real command line."""
    orders: list[Order] = []
    for module in (command_line, commands):
        monkeypatch.setattr(module, "order_now", lambda order, who, reason: orders.append(order))
    stands_for = {"OFFSET": str(offset), "INDEX": str(index), "operator.pem": str(key)}
    for line in re.findall(r"(?m)^python -m services\.operator (.*)$", RUNBOOK.read_text(encoding="utf-8")):
        words = [stands_for.get(word, word) for word in shlex.split(line)]
        assert CliRunner().invoke(command_line.cli, words).exit_code == 0, line
    return orders


async def test_the_page_brings_a_halted_exchange_back_and_no_service_ends(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, poisoned_engine: None
) -> None:
    async with open_resources(settings, wrapper=FileKeyWrapper(settings.secret_key_file)) as resources:
        world = World(resources, tmp_path)
        await write_genesis(resources.command_log)
        engine = Running([world.engine])
        await engine.start()
        services = Running(world.services())
        await services.start()
        await world.send(
            CreditDeposit(1, ALICE, USDT, 1_000_000 * ONE, 1), CreditDeposit(2, ALICE, BTC, ONE, POISON)
        )
        await eventually(lambda: engine.failure() is not None)
        assert isinstance(engine.failure(), PoisonError)
        with pytest.raises(PoisonError):
            await world.fresh_engine().start()
        world.engine = world.fresh_engine()
        engine = Running([world.engine])
        starting = asyncio.create_task(engine.start())

        # "Look first", and "What to do", as the page says it.
        await eventually(lambda: "halted" in str(world.engine.readiness()["engine"]))
        said = str(world.engine.readiness()["engine"])
        place = re.match(r"halted at command (\d+) of record (\d+): ", said)
        assert place is not None
        key = tmp_path / "operator.pem"
        key.write_bytes(world.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        desk = OperatorDesk(resources)
        orders = orders_of_the_page(monkeypatch, key, int(place[2]), int(place[1]))
        assert isinstance(orders[0], SkipOne)
        assert SetMode("ALL", "reopen") in orders
        for order in orders:
            answer = await desk.carry_out(Signed(order, "olga", "the page says so"))
            assert answer.is_done, answer.lines
            assert services.failure() is None
        await starting

        # "Over when": it decides, everybody has followed it past the skip, and nobody has ended.
        link = world.order.engine
        buy = PlaceOrder(
            link.new_command_id(), ALICE, BTCUSDT, "after", codes.BUY, codes.LIMIT, codes.GTC, 5_000_000,
            10_000, 0, codes.STP_NONE, 0,
        )  # fmt: skip
        outcome = await link.gateway.submit(buy)
        assert not isinstance(outcome.events[0].event, CommandRejected)
        await services.until(lambda: world.seqs() == {world.engine.shard.engine.seq})
        assert world.engine.readiness() == {"engine": None}
        assert [order.client_order_id for order in link.view.open_orders(ALICE)] == ["after"]
        assert world.auditor.alarm.breach is None
        await services.until(lambda: not any(services.problems().values()))
        await services.stop()
        await engine.stop()
        for table in world.history:
            closable: Any = table
            await closable.close()
