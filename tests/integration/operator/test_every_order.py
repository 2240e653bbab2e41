"""Every order that there is: who may give it, what it leaves in the audit log, and that nobody else can.

Two people, two roles: olga orders, victor looks. What a token must never order is given at the door.
"""

from collections.abc import Callable
from typing import NamedTuple, get_args

import pytest

from exchange.contracts import codes
from exchange.contracts.audit_keys import HEARTBEAT_KEY, RED_KEY
from exchange.contracts.commands import Command, CreditDeposit, PlaceOrder, ReserveWithdrawal
from exchange.contracts.events import CommandRejected
from exchange.log.deciding import decide_all
from matching_engine.core.rules_version import RULES_VERSION_MAX
from services.operator import sight
from services.operator.markets.orders import (
    ChangeFilter,
    CountTiers,
    ListFees,
    RetireMarket,
    SetDiscount,
    SetFees,
    SetTier,
    ShowFilters,
)
from services.operator.orders import (
    ActivateTheRules,
    AddAdministrator,
    AddMarkets,
    AdjustBalance,
    CancelOrders,
    ClearBreach,
    FindAccounts,
    FreezeAccount,
    ListAdministrators,
    ListAnomalies,
    ListBreaches,
    ListFreezes,
    ListMarkets,
    ListWithdrawals,
    Order,
    RenewFactor,
    RevokeAdministrator,
    SearchAuditLog,
    SetMode,
    ShowAccount,
    ShowReaders,
    ShowWithdrawalStop,
    SkipOne,
    UnfreezeAccount,
)
from tests.integration.operator.test_admin import Desk, desk
from tests.integration.operator.test_orders import resources, room, settings
from tests.unit.exchange.test_markets_file import with_sol

__all__ = ["desk", "resources", "room", "settings"]

pytestmark = pytest.mark.integration
REASON = "a test of every order"
ALICE = "alice@example.com"


class Case(NamedTuple):
    """An order, and what its answer begins with. `is_done`: the engine has no command to skip."""

    order: Order
    said: str
    over_http: bool = True
    is_done: bool = True


LOOKS = [
    Case(ListMarkets(), "BTCUSDT: trading"),
    Case(ShowFilters("BTCUSDT"), "PRICE_FILTER minPrice=0.01000000 "),
    Case(ListFees(), "BTCUSDT: maker 0.001000, taker 0.001000"),
    Case(ListBreaches(), "1: I1 at seq 7"),
    Case(ShowAccount(ALICE), "account "),
    Case(FindAccounts("LICE@"), ""),
    Case(ListWithdrawals(), "1: 0.50000000 BTC of account "),
    Case(ShowReaders(), "event log: seq "),
    Case(ListAnomalies(), "nothing was unusual"),
    Case(ListFreezes(), "no account is frozen"),
    Case(ShowWithdrawalStop(), "money may leave"),
    Case(SearchAuditLog("VICTOR"), ""),
    Case(ListAdministrators(), "olga: ADMIN", over_http=False),
]
# In the order in which they can be given one after the other.
CHANGES = [
    Case(SetMode("BTCUSDT", "cancel-only"), "BTCUSDT: cancel-only since seq "),
    Case(SetFees("BTCUSDT", "0.0002", "0.0004"), "BTCUSDT: 0.0002, 0.0004, since seq "),
    Case(SetTier(1, "USDT", "1000000", "0.9", "1"), "tier 1 from 1000000 USDT: 0.9, 1 of the fees"),
    Case(SetDiscount("ETH", "0.25"), "0.25 less in ETH, since seq "),
    Case(CountTiers(), "0 accounts are in another tier"),
    Case(CancelOrders(ALICE), "1 orders of account "),
    Case(AddMarkets(with_sol()), "registered SOL"),
    Case(
        ChangeFilter("BTCUSDT", "PRICE_FILTER", {"tickSize": "0.05"}),
        "BTCUSDT: PRICE_FILTER tickSize=0.05 since seq ",
    ),
    Case(ChangeFilter("BTC", "MAX_ASSET", {}), "BTC: MAX_ASSET off since seq "),
    Case(RetireMarket("SOLUSDT"), "SOLUSDT: retired since seq "),
    Case(FreezeAccount(ALICE), "account "),
    Case(UnfreezeAccount(ALICE), "account "),
    Case(AdjustBalance(ALICE, "BTC", "1"), "1 BTC were credited to account "),
    Case(ClearBreach(1), "breach 1 is cleared"),
    Case(ActivateTheRules(RULES_VERSION_MAX), f"rules {RULES_VERSION_MAX} hold", over_http=False),
    Case(SkipOne(1, 0, "00"), "", over_http=False),
    Case(
        AddAdministrator("wanda", "VIEWER", "0" * 64, "A" * 32), "wanda may order as VIEWER", over_http=False
    ),
    Case(RenewFactor("wanda", "B" * 32), "wanda has another authenticator", over_http=False),
    Case(RevokeAdministrator("wanda"), "wanda may not order", over_http=False),
]


def test_no_order_is_left_out() -> None:
    assert {type(case.order) for case in (*LOOKS, *CHANGES)} == set(get_args(Order))


@pytest.fixture
async def peopled(desk: Desk) -> Desk:
    """Alice has an open order and a withdrawal that waits; the auditor has found a breach, and lives."""
    user_id = await desk.room.sign_up(ALICE)
    rules = desk.room.engine.stream.engine.markets[1].rules
    lots, ticks = 50_000_000 // rules.lot_atoms, 70_000 * 10**8 // rules.tick_atoms
    makes: list[Callable[[int], Command]] = [
        lambda n: CreditDeposit(n, user_id, 1, 200_000_000, 1_000),
        lambda n: ReserveWithdrawal(n, user_id, 1, 50_000_000, 1, "away"),
        lambda n: PlaceOrder(
            n, user_id, 1, "resting", codes.SELL, codes.LIMIT, codes.GTC, ticks, lots, 0, codes.STP_NONE, 0
        ),
    ]
    for outcome in await decide_all(desk.room.resources, makes):
        assert not isinstance(outcome.events[0].event, CommandRejected), outcome
    async with desk.room.resources.database.acquire() as connection:
        await connection.execute(
            "INSERT INTO audit_breaches (shard, seq, invariant, detail, found_ms) VALUES (0, 7, 'I1', '', 1)"
        )
    heartbeat = (
        '{"seq": 1, "time_ms": 1, "state": "auditing", "lag_ms": 1, "lag_records": 0, "compared_age_ms": 1}'
    )
    await desk.room.resources.cache.set(HEARTBEAT_KEY, heartbeat)
    await desk.room.running.until(lambda: desk.room.ledger.last_seq == desk.room.engine.stream.seq)
    return desk


async def given(desk: Desk, case: Case, name: str) -> tuple[int, list[str]]:
    """The order by somebody over HTTP, or at the door where it belongs there; status and lines."""
    if case.over_http:
        answer = await desk.order(name, case.order, REASON)
        return answer.status_code, answer.json()["lines"]
    done = await desk.room.order(case.order)
    return (200 if done.is_done else 409), done.lines


async def test_looking_changes_nothing_and_both_roles_may(peopled: Desk) -> None:
    before, sent = await peopled.room.acts(), len(peopled.room.engine.commands)
    for case in LOOKS:
        for name in ("victor", "olga"):
            status, lines = await given(peopled, case, name)
            assert status == 200, (case.order, lines)
            assert lines[0].startswith(case.said), lines
    assert await peopled.room.acts() == before
    assert len(peopled.room.engine.commands) == sent


async def test_every_change_stands_in_the_audit_log_with_who_why_and_what_came_of_it(peopled: Desk) -> None:
    for case in CHANGES:
        before = len(await peopled.room.acts())
        status, lines = await given(peopled, case, "olga")
        assert status == 200, (case.order, lines)
        assert lines[0].startswith(case.said), lines
        new = (await peopled.room.acts())[before:]
        (first, asked), (last, done) = new[0], new[-1]
        assert (first, last) == ("operator-order", "operator-done"), case.order
        kind = type(case.order).__name__
        who = "olga (/v1/admin)" if case.over_http else "olga@desk"
        for detail in (asked, done):
            assert detail["who"] == who
            assert detail["reason"] == (REASON if case.over_http else "a test")
            assert isinstance(detail["order"], dict)
            assert detail["order"]["type"] == kind
        assert str(done["outcome"]).startswith(case.said)


async def test_who_looks_changes_nothing_and_a_token_never_orders_what_the_door_does(peopled: Desk) -> None:
    before, sent = await peopled.room.acts(), len(peopled.room.engine.commands)
    for case in CHANGES:
        names = ["victor"] if case.over_http else ["victor", "olga"]
        for name in names:
            assert (await peopled.order(name, case.order, REASON)).status_code == 403, case.order
    assert (await peopled.order("olga", ListAdministrators(), REASON)).status_code == 403
    assert await peopled.room.acts() == before
    assert len(peopled.room.engine.commands) == sent


async def test_the_audit_log_is_searched_page_by_page(peopled: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "ROWS_MAX", 2)
    monkeypatch.setattr(sight, "SEARCHED_ROWS_MAX", 3)
    for number in range(4):
        reason = "Needle" if number == 0 else "hay"
        await peopled.order(
            "olga", FreezeAccount(ALICE) if number % 2 == 0 else UnfreezeAccount(ALICE), reason
        )
    found, searches, before = [], 0, 0
    while True:
        *lines, end = (await peopled.order("victor", SearchAuditLog("needle", before))).json()["lines"]
        found += [line for line in lines if line != "no row has that"]
        searches += 1
        if not end.startswith("older rows: before "):
            break
        before = int(end.split()[-1])
        assert len(lines) <= 2
    # What was ordered, what was frozen, and that it was done.
    assert ["Needle" in line for line in found] == [True] * 3
    assert searches > 3, "no search looks at more than its bound"
    frozen = (await peopled.order("olga", SearchAuditLog("x" * 201))).json()
    assert not frozen["is_done"]
    await peopled.order("olga", FreezeAccount(ALICE))
    (line,) = (await peopled.order("victor", ListFreezes())).json()["lines"]
    assert f"({ALICE}): by OPERATOR since" in line


async def test_whether_money_may_leave_is_told(peopled: Desk) -> None:
    await peopled.room.resources.cache.set(RED_KEY, "1")
    assert (await peopled.order("victor", ShowWithdrawalStop())).json()["lines"] == [
        "STOPPED: the auditor found a fault in the books"
    ]
