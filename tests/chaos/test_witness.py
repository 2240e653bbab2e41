"""The witness tells a sound exchange from one that loses, doubles or invents: who checks the checker."""

from decimal import Decimal
from typing import Any

import pytest

from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.codes import BUY, GTC, LIMIT, SELL, STP_EXPIRE_MAKER
from exchange.contracts.commands import CancelOrder, CreditDeposit, PlaceOrder
from exchange.contracts.events import OrderAccepted, TradeExecuted
from tests.chaos.faults import plan
from tests.chaos.model import Findings, Model
from tests.chaos.witness import Witness
from tests.e2e.journal import Journal, Outcome, PlacedOrder
from tests.e2e.trader import Credentials
from tests.event_streams import ONE, EngineStream, RandomTrading

SEED = 20_261_125
NONE = {"lost": 0, "doubled": 0, "broken": 0}
BUYER, SELLER = 1, 2
PRICE_TICKS, LOTS = 5_000_000, 100


def placed(side: int, user_id: int, name: str, command_id: int) -> PlaceOrder:
    return PlaceOrder(
        command_id, user_id, 1, name, side, LIMIT, GTC, PRICE_TICKS, LOTS, 0, STP_EXPIRE_MAKER, 0
    )


def one_trade() -> list[CommandOutcome]:
    """Deposits, a sell order that rests, a buy order that takes it all, one that rests and is cancelled."""
    stream = EngineStream()
    stream.apply(CreditDeposit(11, BUYER, 3, 1_000_000 * ONE, 1), CreditDeposit(12, SELLER, 1, ONE, 2))
    stream.apply(placed(SELL, SELLER, "sell", 13), placed(BUY, BUYER, "buy", 14))
    stream.apply(placed(BUY, BUYER, "rests", 15), CancelOrder(16, BUYER, 1, 0, "rests", "x", 0, 0))
    return stream.outcomes


def found_in(outcomes: list[CommandOutcome]) -> Findings:
    model = Model(Findings())
    model.apply(outcomes)
    model.check()
    return model.findings


def without(outcome: CommandOutcome, kind: type[object]) -> CommandOutcome:
    kept: tuple[RecordedEvent, ...] = tuple(r for r in outcome.events if not isinstance(r.event, kind))
    return outcome._replace(events=kept)


def test_sound_exchange_gives_no_findings() -> None:
    print(f"seed {SEED}")
    trading = RandomTrading(SEED)
    trading.run(3_000)
    findings = found_in(trading.stream.outcomes)
    assert dict(findings.counts) == NONE, findings.examples()


def test_order_that_took_effect_twice_is_found() -> None:
    outcomes = one_trade()
    buy = next(o for o in outcomes if o.command_id == 14)
    assert found_in([*outcomes, buy]).counts["doubled"] >= 2


def test_deposit_that_was_credited_twice_is_found() -> None:
    outcomes = one_trade()
    deposit = next(o for o in outcomes if o.command_id == 11)
    assert found_in([*outcomes, deposit]).counts["doubled"] >= 1


def test_trade_that_moved_no_money_is_found() -> None:
    trade = next(r.event for o in one_trade() for r in o.events if isinstance(r.event, TradeExecuted))
    trade.base_atoms -= 1
    outcomes = one_trade()
    changed = [
        o._replace(
            events=tuple(
                r._replace(event=trade) if isinstance(r.event, TradeExecuted) else r for r in o.events
            )
        )
        for o in outcomes
    ]
    assert dict(found_in(outcomes).counts) == NONE
    assert found_in(changed).counts["broken"] >= 1


ANSWER = {"orderId": 0, "status": "FILLED", "executedQty": "0.001"}
FILL = {"tradeId": 1, "price": "50000", "qty": "0.001", "commission": "0.000001"}


def judged(outcomes: list[CommandOutcome], order: PlacedOrder, name: str = "buy") -> dict[str, int]:
    """What the witness finds in one answer to the buyer."""
    buyer = Credentials(BUYER, "", "", "", "", "")
    witness = Witness("127.0.0.1:1", "", [buyer], Journal())
    witness.model.apply(outcomes)
    order_id = witness.model.by_name.get((BUYER, name), 0)
    for body in (order.answer, order.cancel_answer):
        if body.get("orderId") == 0:
            body["orderId"] = order_id
    witness._check_answer(name, order, order.cancel is not None)
    return dict(witness.findings.counts)


def bought(outcome: Outcome = Outcome.ACKNOWLEDGED, **answer: object) -> PlacedOrder:
    body = {**ANSWER, "fills": [FILL], **answer}
    return PlacedOrder(0, "BTCUSDT", "BUY", Decimal(50_000), Decimal("0.001"), outcome, body)


def test_answer_that_is_as_the_log_says_is_good() -> None:
    assert judged(one_trade(), bought()) == NONE


@pytest.mark.parametrize(
    "answer",
    [
        {"orderId": 77},
        {"executedQty": "0.002"},
        {"fills": [FILL, {**FILL, "tradeId": 2}]},
        {"fills": [{**FILL, "qty": "0.0009"}]},
        {"fills": [{**FILL, "price": "49999"}]},
    ],
    ids=["order id", "executed", "another fill", "quantity", "price"],
)
def test_answer_that_the_log_does_not_bear_out_is_a_loss(answer: dict[str, Any]) -> None:
    assert judged(one_trade(), bought(**answer))["lost"] >= 1


def test_acknowledged_order_that_is_not_in_the_log_is_a_loss() -> None:
    outcomes = [o for o in one_trade() if o.command_id < 14]
    assert judged(outcomes, bought())["lost"] == 1


def test_acknowledged_fill_that_is_not_in_the_log_is_a_loss() -> None:
    outcomes = [without(o, TradeExecuted) for o in one_trade()]
    assert judged(outcomes, bought())["lost"] >= 1


def test_refused_order_that_exists_is_a_double() -> None:
    refused = PlacedOrder(
        0, "BTCUSDT", "BUY", Decimal(50_000), Decimal("0.001"), Outcome.REFUSED, {"code": -2010, "msg": ""}
    )
    assert judged(one_trade(), refused)["doubled"] == 1


def test_acknowledged_cancel_of_an_order_that_is_open_is_a_loss() -> None:
    resting = bought(status="NEW", executedQty="0", fills=[])
    resting.cancel, resting.cancel_answer = Outcome.ACKNOWLEDGED, {"orderId": 0, "executedQty": "0"}
    assert judged(one_trade(), resting, "rests") == NONE
    outcomes = [o for o in one_trade() if o.command_id != 16]
    assert judged(outcomes, resting, "rests")["lost"] == 1


def test_cancel_told_unknown_of_an_order_that_is_open_is_a_loss() -> None:
    resting = bought(status="NEW", executedQty="0", fills=[])
    resting.cancel, resting.cancel_answer = Outcome.REFUSED, {"code": -2011, "msg": ""}
    outcomes = [o for o in one_trade() if o.command_id != 16]
    assert any(isinstance(r.event, OrderAccepted) for o in outcomes for r in o.events)
    assert judged(outcomes, resting, "rests")["lost"] == 1


def test_the_same_seed_plans_the_same_faults_and_every_target_comes_round() -> None:
    names, points = ["kafka", "order", "engine-0"], ["a", "b"]
    faults = plan(names, 100, SEED, isolated=True, points=points)
    assert faults == plan(names, 100, SEED, isolated=True, points=points)
    for kind in ("kill", "pause"):
        assert {f.target for f in faults if f.kind == kind} == set(names)
    assert {f.kind for f in plan(names, 30, SEED, isolated=False, points=points)} == {
        "kill", "pause", "crash point", "restart", "flush",
    }  # fmt: skip
    assert {f.target for f in plan(names, 9, SEED, isolated=False, points=points, only="restart kafka")} == {
        "kafka"
    }
