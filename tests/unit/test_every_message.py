"""Every kind of event and of command is known to whoever may meet it, and every refusal has its words.

Two kinds of proof. One stream holds an event of each kind, as a real engine makes them, and every reader
takes all of it. And for each module that tells events apart it is written down which kinds it leaves alone,
so that a new kind fails here until somebody has decided about every reader.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import EMPTY_CHAIN_HASH, CommandOutcome, field_names
from exchange.contracts.commands import (
    ActivateRules,
    CancelOrder,
    Command,
    CreditDeposit,
    KeepTime,
    LeaderElected,
    Malformed,
    PlaceOrder,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
    SetTradingMode,
    SkipCommand,
)
from exchange.contracts.events import CommandRejected, Event
from exchange.contracts.fee_commands import (
    SetAccountTier,
    SetFeeDiscount,
    SetFeeTier,
    SetMarketFees,
    SwitchFeeDiscount,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.order_commands import AmendOrder, OrderLeg, PlaceOrderList, PlaceOrderWithTerms
from exchange.contracts.tables import COMMANDS, EVENTS, LEG_FIELDS, LEGS_FIELD
from exchange.log.event_tail import EventTail, TailPosition
from matching_engine.core.engine import Engine
from services.anomalies.watch import FLOORS, AnomalyWatch
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import AuditState
from services.market_data.markets.state import MarketState
from services.market_history.catalogue import Catalogue
from services.notifier.notices import NoticeMaker
from services.order.view.model import AccountView
from services.projections.book.state import Books
from services.projections.ledger.batch import LedgerBatch
from services.user.money.event_follower import EventFollower
from tests.event_streams import ONE, START_MS, EngineStream
from tests.simulation.model.auditor import Model

ROOT: Final = Path(__file__).resolve().parents[2]
ALICE, BOB = 1001, 1002
BTCUSDT, BTC, USDT = 1, 1, 3
ALL: Final = frozenset(cls.__name__ for cls, _ in EVENTS.values())


def _order(user_id: int, name: str, side: int, lots: int) -> PlaceOrder:
    return PlaceOrder(
        1, user_id, BTCUSDT, name, side, codes.LIMIT, codes.GTC, 5_000_000, lots, 0, codes.STP_NONE, 0
    )


def one_of_each() -> EngineStream:
    """What a real engine says when everything happens once."""
    stream = EngineStream()

    stream.apply(
        ActivateRules(1, 1),
        LeaderElected(1, "engine-0", 1),
        KeepTime(1, 1, START_MS),
        SkipCommand(1, 3, 0, "00"),
        CreditDeposit(1, ALICE, BTC, ONE, 1),
        CreditDeposit(1, BOB, USDT, 100_000 * ONE, 2),
        SetTradingMode(1, BTCUSDT, codes.MODE_TRADING),
        _order(ALICE, "ask", codes.SELL, 20_000),
        _order(BOB, "bid", codes.BUY, 10_000),
        CancelOrder(1, ALICE, BTCUSDT, 0, "ask", "", codes.CANCEL_ANY, 0),
        CancelOrder(1, ALICE, BTCUSDT, 0, "ask", "", codes.CANCEL_ANY, 0),
        ReserveWithdrawal(1, ALICE, BTC, 5, 1, "address"),
        SettleWithdrawal(1, 1),
        ReserveWithdrawal(1, ALICE, BTC, 6, 2, "address"),
        ReleaseWithdrawal(1, 2),
        Malformed(0, "no command", 0),
        *_with_terms(),
        SetFilter(1, codes.FILTER_MAX_POSITION, BTCUSDT, 0, 1_000 * ONE, 0, 0, 0),
        SetMarketFees(1, BTCUSDT, 200, 400),
        *_with_fees(),
    )
    return stream


def _with_fees() -> list[Command]:
    """A tier for Alice, and a discount for Bob, who then trades."""
    return [
        SetFeeTier(1, 1, USDT, ONE, 500_000, 500_000),
        SetAccountTier(1, ALICE, 1),
        SetFeeDiscount(1, BTC, 250_000),
        SwitchFeeDiscount(1, BOB, 1),
        _order(ALICE, "fee ask", codes.SELL, 1_000),
        _order(BOB, "fee bid", codes.BUY, 1_000),
    ]


def _with_terms() -> list[Command]:
    """What brings every event of rules version 4; the last price before it is 5,000,000."""
    price = 5_000_000

    def leg(
        name: str, side: int, order_type: int, lots: int, at: int, stop: int = 0, bips: int = 0
    ) -> OrderLeg:
        iceberg = lots // 4 if name == "iceberg" else 0
        return OrderLeg(name, side, order_type, codes.GTC, at, lots, stop, bips, iceberg, 7, 1_000_000, 0, 0)

    def placed(user_id: int, of: OrderLeg, stp_mode: int = codes.STP_NONE) -> PlaceOrderWithTerms:
        return PlaceOrderWithTerms(
            1, user_id, BTCUSDT, of.client_order_id, of.side, of.order_type, of.time_in_force,
            of.price_ticks, of.quantity_lots, 0, stp_mode, 0, of.stop_price_ticks, of.trailing_bips,
            of.iceberg_lots, of.strategy_id, of.strategy_type, of.peg_price_type, of.peg_offset_levels,
        )  # fmt: skip

    buy, sell = codes.BUY, codes.SELL
    working = leg("working", buy, codes.LIMIT, 100, price - 10)
    pending = leg("pending", sell, codes.LIMIT, 100, price + 900)
    return [
        placed(ALICE, leg("stop", sell, codes.STOP_LOSS_LIMIT, 100, price + 500, price - 10)),
        placed(ALICE, leg("trailing", sell, codes.STOP_LOSS_LIMIT, 100, price + 500, price - 10, 100)),
        PlaceOrderList(1, BOB, BTCUSDT, "list", codes.CONTINGENCY_OTO, codes.STP_NONE, 0, [working, pending]),
        placed(ALICE, leg("seller", sell, codes.LIMIT, 100, price - 10)),
        placed(ALICE, leg("iceberg", sell, codes.LIMIT, 400, price + 50)),
        placed(BOB, leg("buyer", buy, codes.LIMIT, 150, price + 50)),
        AmendOrder(1, ALICE, BTCUSDT, 0, "iceberg", "smaller", 300, 0),
        PlaceOrderList(
            1,
            BOB,
            BTCUSDT,
            "paying",
            codes.CONTINGENCY_OPO,
            codes.STP_NONE,
            0,
            [
                leg("paid", buy, codes.LIMIT, 100, price - 20),
                leg("sold", sell, codes.LIMIT, 0, price + 900),
            ],
        ),
        placed(ALICE, leg("payer", sell, codes.LIMIT, 100, price - 20)),
        placed(ALICE, leg("own", buy, codes.LIMIT, 50, price + 50), codes.STP_DECREMENT),
    ]


def test_the_stream_holds_an_event_of_each_kind() -> None:
    kinds = {type(recorded.event).__name__ for o in one_of_each().outcomes for recorded in o.events}
    assert kinds == ALL


def _outcome_by_outcome(apply: Callable[[CommandOutcome], object]) -> Callable[[list[CommandOutcome]], None]:
    def read(outcomes: list[CommandOutcome]) -> None:
        for outcome in outcomes:
            apply(outcome)

    return read


def _audited(outcome: CommandOutcome, audit: Audit) -> None:
    assert list(audit.apply(outcome)) == []


def _catalogue(outcome: CommandOutcome, catalogue: Catalogue) -> None:
    for recorded in outcome.events:
        catalogue.apply(recorded.event)


class _NoReader:
    async def read(self, timeout_ms: int) -> list[Any]:
        return []

    async def close(self) -> None:
        return None


def _remembered(outcome: CommandOutcome, follower: EventFollower) -> None:
    for recorded in outcome.events:
        follower._remember(recorded.seq, recorded.event)


def _readers() -> dict[str, Callable[[list[CommandOutcome]], object]]:
    audit, catalogue = Audit(AuditState()), Catalogue(0)
    follower = EventFollower(EventTail(_NoReader(), TailPosition(0, EMPTY_CHAIN_HASH, 0)), [])
    return {
        "order view": _outcome_by_outcome(AccountView().apply),
        "market data": _outcome_by_outcome(MarketState().apply),
        "ledger": LedgerBatch({}).add,
        "hot book": Books().apply,
        "anomalies": AnomalyWatch(FLOORS).fold,
        "auditor": _outcome_by_outcome(lambda outcome: _audited(outcome, audit)),
        "market history": _outcome_by_outcome(lambda outcome: _catalogue(outcome, catalogue)),
        "notifier": _outcome_by_outcome(NoticeMaker(0).notices_of),
        "user service": _outcome_by_outcome(lambda outcome: _remembered(outcome, follower)),
        "the simulation's model": _outcome_by_outcome(Model().apply),
    }


@pytest.mark.parametrize("reader", list(_readers()))
def test_every_reader_takes_every_kind_of_event(reader: str) -> None:
    _readers()[reader](one_of_each().outcomes)


# What each module that tells events apart leaves alone, and may: everything else it names.
# What the plain kinds are, for a module that knows the others alone.
PLAIN: Final = (
    "CommandRejected AssetRegistered MarketRegistered TradingModeChanged OrderAccepted TradeExecuted "
    "OrderClosed DepositCredited WithdrawalReserved WithdrawalSettled WithdrawalReleased LeaderChanged "
    "RulesActivated SkipRecorded TimeKept"
)
# Orders with terms and lists: some modules leave them to another that knows them all.
TERMS: Final = (
    "OrderWithTermsAccepted OrderTriggered TrailingStarted PendingOrderFunded PendingOrderPlaced "
    "IcebergRefilled OrderAmended "
    "SelfTradeDecremented OrderListPlaced OrderListDone"
)
# Filters that change: who neither shows nor writes them leaves them to the engine.
FILTERS: Final = "FilterChanged"
# Fees that change; what is paid stands in the trades.
AGREED: Final = "FeeTierChanged AccountTierChanged FeeDiscountChanged FeeDiscountSwitched"
FEES: Final = f"MarketFeesChanged {AGREED}"
# A trade to all that ask for trades; it is named where its own fields are read, and by tables of kinds.
DISCOUNT: Final = "TradeExecutedWithDiscount"
RULES: Final = f"{FILTERS} {FEES}"
# What the leader and operators say to all.
LED: Final = "LeaderChanged RulesActivated SkipRecorded TimeKept"
# What is neither an order's beginning nor its end.
NOT_COUNTED: Final = (
    "AssetRegistered MarketRegistered TradingModeChanged DepositCredited WithdrawalReserved "
    f"WithdrawalSettled WithdrawalReleased {LED} OrderTriggered TrailingStarted PendingOrderFunded "
    f"PendingOrderPlaced IcebergRefilled SelfTradeDecremented OrderListDone {RULES}"
)
LEFT_ALONE: Final = {
    "exchange/contracts/packing.py": "",
    "exchange/trading/book_rule.py": (
        f"{PLAIN} {RULES} TrailingStarted PendingOrderFunded OrderListPlaced OrderListDone"
    ),
    "services/auditor/audit/outcomes.py": "",
    "services/anomalies/watch.py": NOT_COUNTED,
    "services/order/view/model.py": TERMS,
    "services/order/view/term_events.py": f"{PLAIN} {RULES}",
    "services/order/user_data/hub.py": (
        "CommandRejected AssetRegistered MarketRegistered TradingModeChanged LeaderChanged RulesActivated "
        f"SkipRecorded TimeKept TrailingStarted IcebergRefilled PendingOrderFunded {RULES}"
    ),
    "services/market_data/markets/state.py": (
        "CommandRejected DepositCredited WithdrawalReserved WithdrawalSettled WithdrawalReleased "
        f"LeaderChanged RulesActivated SkipRecorded TimeKept {TERMS} {AGREED}"
    ),
    "services/market_history/catalogue.py": (
        "CommandRejected TradingModeChanged OrderAccepted TradeExecuted OrderClosed DepositCredited "
        "WithdrawalReserved WithdrawalSettled WithdrawalReleased LeaderChanged RulesActivated "
        f"SkipRecorded TimeKept {TERMS} {RULES}"
    ),
    "services/notifier/notices.py": (
        f"CommandRejected TradingModeChanged OrderAccepted OrderClosed {LED} {TERMS} {RULES}"
    ),
    "services/projections/book/state.py": (
        "CommandRejected AssetRegistered TradingModeChanged DepositCredited WithdrawalReserved "
        f"WithdrawalSettled WithdrawalReleased {LED} {TERMS} {RULES}"
    ),
    "services/projections/ledger/batch.py": f"CommandRejected {LED}",
    "services/projections/ledger/entries.py": (
        "CommandRejected AssetRegistered MarketRegistered TradingModeChanged LeaderChanged RulesActivated "
        f"SkipRecorded TimeKept TrailingStarted IcebergRefilled OrderListPlaced OrderListDone {RULES}"
    ),
    "services/order/decisions/order_counts.py": f"CommandRejected OrderAmended OrderListPlaced {NOT_COUNTED}",
    "services/user/money/event_follower.py": (
        "CommandRejected MarketRegistered TradingModeChanged LeaderChanged RulesActivated "
        f"SkipRecorded TimeKept TrailingStarted IcebergRefilled OrderListPlaced OrderListDone {RULES}"
    ),
    "tests/simulation/model/auditor.py": f"CommandRejected AssetRegistered {LED}",
}
# Where the kinds of rules version 4 have a module of their own.
OTHER_HALVES: Final = {
    "exchange/contracts/packing.py": (
        "exchange/contracts/order_packing.py",
        "exchange/contracts/fee_packing.py",
    ),
    "services/order/view/model.py": ("services/order/view/fees.py",),
    "services/projections/ledger/batch.py": ("services/projections/ledger/fee_rows.py",),
    "tests/simulation/model/auditor.py": tuple(f"tests/simulation/model/{n}.py" for n in ("terms", "fees")),
}
# All kinds, by the table of exchange/contracts/tables.py or as bytes.
# `event_unpacking` leaves what it does not know to the codec.
BY_TABLE: Final = {
    f"exchange/contracts/{name}.py"
    for name in (
        "chain", "codec", "event_unpacking", "filter_events", "fee_events", "order_events", "plain_packing",
        "tables",
    )
}  # fmt: skip
# They ask about the outcome of a command of their own, or look for one kind alone.
ASK_FOR_ONE_KIND: Final = {
    "exchange/trading/fees.py",
    "exchange/trading/filters.py",
    "exchange/trading/market.py",
    "exchange/trading/trades.py",
    "services/auditor/alarm/red.py",
    "services/auditor/audit/fees.py",
    "services/auditor/audit/orders.py",
    "services/operator/markets/filters.py",
    "services/auditor/audit/terms.py",
    "services/auditor/audit/treasury.py",
    "services/market_data/markets/bootstrap.py",
    "services/market_history/component.py",
    "services/market_history/rows.py",
    "services/operator/desk.py",
    "services/operator/refusals.py",
    "services/order/decisions/amending.py",
    "services/order/decisions/cancelling.py",
    "services/order/decisions/engine_link.py",
    "services/order/decisions/listing.py",
    "services/order/decisions/placing.py",
    "services/order/shapes/placed.py",
    "services/order/shapes/prevention.py",
    "services/order/user_data/events.py",
    "services/order/view/bootstrap.py",
    "services/order/view/records.py",
    "services/projections/ledger/order_rows.py",
    "services/projections/ledger/store.py",
    "services/projections/withdrawals.py",
    "services/user/money/transfers.py",
}


def _told_apart(tree: ast.AST, kinds: frozenset[str]) -> set[str]:
    """The kinds that stand in an isinstance, as a table's key, or in a tuple that is named."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            found |= _names(node.args[1])
        elif isinstance(node, ast.Dict):
            found |= {name for key in node.keys if key is not None for name in _names(key)}
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Tuple):
            found |= _names(node.value)
    return found & kinds


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("exchange", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            parts = ("", "order_", "filter_", "fee_")
            if any(f"exchange.contracts.{part}events" in text for part in parts):
                yield path.relative_to(ROOT).as_posix(), ast.parse(text)


def test_whoever_tells_events_apart_has_decided_about_every_kind() -> None:
    for module, left in LEFT_ALONE.items():
        told: set[str] = set()
        for part in (module, *OTHER_HALVES.get(module, ())):
            told |= _told_apart(ast.parse((ROOT / part).read_text(encoding="utf-8")), ALL)
        leaves = set(left.split())
        told.discard(DISCOUNT)
        assert told | leaves == ALL - {DISCOUNT}, f"{module}: undecided {ALL - told - leaves}"
        assert not told & leaves, f"{module} names what it is said to leave alone"


def test_every_module_that_imports_events_is_one_of_these() -> None:
    imports = {module for module, _ in _modules()} - BY_TABLE
    decided = {*LEFT_ALONE, *(half for halves in OTHER_HALVES.values() for half in halves)} - BY_TABLE
    assert imports == {m for m in decided if not m.startswith("tests/")} | ASK_FOR_ONE_KIND


@pytest.mark.parametrize("kind", [cls for cls, _ in COMMANDS.values()], ids=lambda cls: cls.__name__)
def test_the_engine_knows_every_command(kind: Callable[..., Command]) -> None:
    texts = {"code": "XYZ", "symbol": "XYZUSDT", "client_order_id": "a", "cancel_client_order_id": "b",
             "address": "c", "leader_id": "d", "detail": "e", "signature": "f",
             "list_client_order_id": "g", "new_client_order_id": "h"}  # fmt: skip
    leg = OrderLeg(*(texts.get(name, 1) for name in LEG_FIELDS))  # type: ignore[arg-type]
    values: dict[str, Any] = texts | {LEGS_FIELD: [leg, leg]}
    command = kind(*(values.get(name, 1) for name in field_names(cast(type[Command], kind))))
    events = Engine().apply(command, 1)
    reasons = [event.reason for event in events if isinstance(event, CommandRejected)]
    assert codes.REJECT_UNKNOWN_COMMAND not in reasons


def test_kinds_are_what_the_codec_says() -> None:
    assert {cls for cls, _ in EVENTS.values()} == set(Event.__subclasses__()) | {TradeExecutedWithDiscount}
    assert {cls for cls, _ in COMMANDS.values()} | {Malformed} == set(Command.__subclasses__())
