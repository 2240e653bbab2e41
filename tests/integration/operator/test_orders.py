"""Promises of the operator's command over real PostgreSQL and Valkey, with an engine on the logs."""

import asyncio
import json
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.adapters.files.key import FileKeyWrapper
from exchange.contracts import codes
from exchange.contracts.audit_keys import RED_KEY
from exchange.contracts.commands import Command, SetTradingMode
from exchange.process.components import Resources
from exchange.process.config import Settings
from exchange.security.audit_log import verify
from matching_engine.core.rules_version import RULES_VERSION_MAX
from services.operator.asking import ORDER_SIZE_BYTES_MAX, ask
from services.operator.desk import OperatorDesk
from services.operator.door import OperatorDoor
from services.operator.orders import (
    ActivateTheRules,
    AddMarkets,
    Answer,
    ClearBreach,
    FreezeAccount,
    ListBreaches,
    ListMarkets,
    Order,
    SetMode,
    ShowAccount,
    Signed,
    SkipOne,
    UnfreezeAccount,
)
from services.operator.tagged import OrderError
from services.projections.ledger.projection import LedgerProjection
from tests.at_work import open_resources
from tests.event_streams import START_MS
from tests.integration.projections.conftest import Running, settings
from tests.integration.projections.test_withdrawals import EngineLoop
from tests.unit.exchange.test_markets_file import with_sol

__all__ = ["resources", "settings"]

pytestmark = pytest.mark.integration


@pytest.fixture
async def resources(settings: Settings, tmp_path: Path) -> AsyncIterator[Resources]:
    """As elsewhere, with the key that seals secrets."""
    wrapper = FileKeyWrapper(tmp_path / "secret.key")
    async with open_resources(settings, lambda: START_MS, wrapper) as opened:
        yield opened


class Room:
    """An exchange of an engine and a ledger, and the operator's desk beside it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.engine = EngineLoop(resources)
        self.ledger = LedgerProjection(resources)
        self.running = Running([self.engine, self.ledger])
        self.desk = OperatorDesk(resources)

    async def order(self, order: Order) -> Answer:
        answer = await self.desk.carry_out(Signed(order, "olga@desk", "a test"))
        await self.running.until(lambda: self.ledger.last_seq == self.engine.stream.seq)
        return answer

    def mode_of(self, market_id: int) -> int:
        return int(self.engine.stream.engine.markets[market_id].mode)

    async def acts(self) -> list[tuple[str, dict[str, object]]]:
        async with self.resources.database.acquire() as connection:
            assert (await verify(connection))[1] == []
            rows = await connection.fetch("SELECT act, detail::text AS detail FROM audit_log ORDER BY id")
        return [(row["act"], json.loads(row["detail"])) for row in rows]

    async def sign_up(self, email: str) -> int:
        async with self.resources.database.acquire() as connection:
            return int(
                await connection.fetchval(
                    "INSERT INTO users (email, created_ms) VALUES ($1, 1) RETURNING user_id", email
                )
            )


@pytest.fixture
async def room(resources: Resources) -> AsyncIterator[Room]:
    room = Room(resources)
    await room.running.start()
    await room.running.until(lambda: room.ledger.last_seq == room.engine.stream.seq > 0)
    yield room
    await room.running.stop()


async def test_one_market_is_halted_and_reopened_and_no_other(room: Room) -> None:
    assert (await room.order(ListMarkets())).lines == [
        "BTCUSDT: trading", "ETHUSDT: trading", "ETHBTC: trading"
    ]  # fmt: skip
    for word, mode in (
        ("halt", codes.MODE_HALTED),
        ("cancel-only", codes.MODE_CANCEL_ONLY),
        ("post-only", codes.MODE_POST_ONLY),
        ("reopen", codes.MODE_TRADING),
    ):
        answer = await room.order(SetMode("ETHUSDT", word))
        assert answer.is_done
        assert [room.mode_of(number) for number in (1, 2, 3)] == [
            codes.MODE_TRADING, mode, codes.MODE_TRADING
        ]  # fmt: skip
    assert (await room.order(SetMode("ALL", "halt"))).is_done
    assert {room.mode_of(number) for number in (1, 2, 3)} == {codes.MODE_HALTED}
    assert (await room.order(ListMarkets())).lines[0] == "BTCUSDT: halt"


async def test_every_order_is_in_the_audit_log_with_who_why_and_what_came_of_it(room: Room) -> None:
    await room.order(ListMarkets())
    assert await room.acts() == [], "looking is no order"
    await room.order(SetMode("BTCUSDT", "halt"))
    (first, asked), (second, done) = await room.acts()
    assert (first, second) == ("operator-order", "operator-done")
    assert asked == {
        "order": {"type": "SetMode", "symbol": "BTCUSDT", "word": "halt"},
        "who": "olga@desk",
        "reason": "a test",
    }
    assert "BTCUSDT: halt since seq" in str(done["outcome"])
    refused = await room.order(SetMode("DOGEUSDT", "halt"))
    assert not refused.is_done
    assert "there is no market DOGEUSDT" in refused.lines[0]
    assert [act for act, _ in await room.acts()][2:] == ["operator-order", "operator-refused"]


async def test_markets_are_added_while_it_runs_once(room: Room) -> None:
    answer = await room.order(AddMarkets(with_sol()))
    assert answer.lines == ["registered SOL", "registered SOLUSDT"]
    assert room.engine.stream.engine.markets[4].rules.symbol == "SOLUSDT"
    assert "SOLUSDT: trading" in (await room.order(ListMarkets())).lines
    again = await room.order(AddMarkets(with_sol()))
    assert again == Answer(True, ["nothing to add: all of the file is registered"])
    changed = await room.order(AddMarkets(with_sol().replace('min_notional = "5"', 'min_notional = "6"')))
    assert not changed.is_done
    assert "was registered with another notional_atoms_min" in changed.lines[0]
    other = await room.order(AddMarkets(with_sol().replace("decimals = 8", "decimals = 6")))
    assert "decimals, which nothing changes" in other.lines[0]
    assert not (await room.order(AddMarkets("nonsense"))).is_done


async def test_rules_that_no_engine_of_this_release_has_are_not_sent(room: Room) -> None:
    sent = len(room.engine.commands)
    assert not (await room.order(ActivateTheRules(99))).is_done
    assert len(room.engine.commands) == sent
    assert (await room.order(ActivateTheRules(RULES_VERSION_MAX))).is_done
    back = await room.order(ActivateTheRules(1))
    assert not back.is_done, "rules never go back"


async def test_reopening_is_refused_while_the_auditor_is_red(room: Room) -> None:
    assert (await room.order(SetMode("ALL", "halt"))).is_done
    await room.resources.cache.set(RED_KEY, "{}")
    answer = await room.order(SetMode("ALL", "reopen"))
    assert not answer.is_done
    assert "red" in answer.lines[0]
    assert room.mode_of(1) == codes.MODE_HALTED
    assert (await room.order(SetMode("ALL", "cancel-only"))).is_done
    await room.resources.cache.delete(RED_KEY)
    assert (await room.order(SetMode("ALL", "reopen"))).is_done


async def test_breaches_are_listed_and_cleared_once(room: Room) -> None:
    assert (await room.order(ListBreaches())).lines == ["no breach is open"]
    async with room.resources.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO audit_breaches (shard, seq, invariant, detail, found_ms) "
            "VALUES (0, 7, 'I1', 'why', 1)"
        )
    assert "I1 at seq 7" in (await room.order(ListBreaches())).lines[0]
    assert (await room.order(ClearBreach(1))).is_done
    assert not (await room.order(ClearBreach(1))).is_done
    assert (await room.order(ListBreaches())).lines == ["no breach is open"]


async def test_an_account_is_frozen_by_address_or_number_until_the_operator_ends_it(room: Room) -> None:
    user_id = await room.sign_up("alice@example.com")
    assert not (await room.order(FreezeAccount("nobody@example.com"))).is_done
    answer = await room.order(FreezeAccount("Alice@example.com"))
    assert answer.is_done
    assert "frozen by OPERATOR" in answer.lines[1]
    async with room.resources.database.acquire() as connection:
        assert await connection.fetchval("SELECT ends_ms IS NULL FROM withdrawal_freezes")
    assert "until somebody ends it" in (await room.order(ShowAccount(str(user_id)))).lines[1]
    assert (await room.order(UnfreezeAccount(str(user_id)))).is_done
    assert not (await room.order(UnfreezeAccount(str(user_id)))).is_done
    acts = [act for act, _ in await room.acts()]
    assert [act for act in acts if act.startswith("withdrawals-")] == [
        "withdrawals-frozen", "withdrawals-unfrozen"
    ]  # fmt: skip


async def test_halting_goes_on_without_the_database_and_says_so(room: Room) -> None:
    class Away:
        def acquire(self, **_: object) -> object:
            raise OSError("away")

    desk = OperatorDesk(replace(room.resources, database=Away()))  # type: ignore[arg-type]
    halted = await desk.carry_out(Signed(SetMode("ALL", "halt"), "me", "fire"))
    assert halted.is_done
    assert "NOT in the audit log" in halted.lines[-1]
    assert room.mode_of(1) == codes.MODE_HALTED
    assert not (await desk.carry_out(Signed(SetMode("ALL", "reopen"), "me", "fire"))).is_done
    assert not (await desk.carry_out(Signed(FreezeAccount("a"), "me", "fire"))).is_done
    assert room.mode_of(1) == codes.MODE_HALTED
    assert await room.acts() == []


async def test_who_has_no_answer_is_told_so(resources: Resources) -> None:
    quick = replace(resources, settings=resources.settings.model_copy(update={"command_deadline_ms": 200}))
    answer = await OperatorDesk(quick).carry_out(Signed(SkipOne(1, 0, "00"), "me", "no engine runs"))
    assert answer == Answer(
        False, ["it was sent, and the engine has not decided it yet; ask again what holds"]
    )


def modes(commands: list[Command]) -> list[int]:
    return [command.mode for command in commands if isinstance(command, SetTradingMode)]


async def test_the_door_is_for_its_owner_alone_and_survives_nonsense(room: Room, tmp_path: Path) -> None:
    # Longer than a socket's name may be.
    folder = tmp_path / ("folder" * 20)
    folder.mkdir()
    path = folder / "operator.sock"
    path.touch()  # what a killed process left
    door = OperatorDoor(room.desk, path)
    await door.start()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    descriptor = os.open(folder, os.O_RDONLY)
    for line in (b"", b"\n", b"nonsense\n", b"{}\n", b"x" * (ORDER_SIZE_BYTES_MAX + 2) + b"\n"):
        reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{descriptor}/operator.sock")
        writer.write(line)
        if not line:
            writer.write_eof()
        await reader.read()
        writer.close()
    os.close(descriptor)
    for who, reason in (("", "why"), ("me", " "), ("me", "x" * 501)):
        answer = await ask(path, Signed(ListMarkets(), who, reason))
        assert not answer.is_done
    assert (await ask(path, Signed(SetMode("BTCUSDT", "halt"), "me", "why"))).is_done
    assert modes(room.engine.commands) == [codes.MODE_HALTED]
    await door.stop()
    with pytest.raises(OrderError, match="no exchange listens"):
        await ask(path, Signed(ListMarkets(), "me", "why"))


async def test_the_door_warns_of_orders_and_tells_no_log_what_a_look_found(
    room: Room, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each look was once a warning on the screen of `make run`, with the people's addresses that it found."""
    caplog.set_level(logging.INFO, "services.operator.door")
    path = tmp_path / "operator.sock"
    door = OperatorDoor(room.desk, path)
    await door.start()
    assert (await ask(path, Signed(ListMarkets(), "olga", "look"))).lines[0] == "BTCUSDT: trading"
    await ask(path, Signed(SetMode("BTCUSDT", "halt"), "olga", "why"))
    await door.stop()
    look, order = [one for one in caplog.records if one.name == "services.operator.door"]
    assert (look.levelname, look.getMessage()) == ("INFO", "operator olga: ListMarkets")
    assert order.levelname == "WARNING"
    assert order.getMessage().startswith("operator olga: SetMode: BTCUSDT: halt since seq ")


async def test_the_command_line_orders_through_the_door(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "operator.sock"
    door = OperatorDoor(room.desk, path)
    await door.start()

    async def operator(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.operator", *arguments),
            env={**os.environ, "OPERATOR_SOCKET": str(path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    code, out, _ = await operator("markets", "post-only", "ethusdt", "--reason", "quiet", "--who", "olga")
    assert (code, out.split(" since")[0]) == (0, "ETHUSDT: post-only")
    code, out, _ = await operator("markets", "list")
    assert (code, "ETHUSDT: post-only" in out.splitlines()) == (0, True)
    code, out, err = await operator("markets", "halt", "NOWHERE", "--reason", "x")
    assert (code, out) == (1, "")
    assert "there is no market NOWHERE" in err
    assert modes(room.engine.commands) == [codes.MODE_POST_ONLY]
    await door.stop()
    code, _, err = await operator("markets", "list")
    assert code == 1
    assert "no exchange listens" in err
