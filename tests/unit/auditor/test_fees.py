"""Tiers and the discount in the audit: what is agreed is sound, and a fee beyond it is found."""

from collections.abc import Callable
from typing import Any

import pytest

from exchange.contracts import codes
from exchange.contracts.codec import field_names
from exchange.contracts.commands import CreditDeposit
from exchange.contracts.events import Event, TradeExecuted
from exchange.contracts.fee_commands import SetAccountTier, SetFeeDiscount, SetFeeTier, SwitchFeeDiscount
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeTierChanged,
    TradeExecutedWithDiscount,
)
from services.auditor.audit.image import state_of, to_bytes
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import AuditState
from tests.event_streams import ONE, EngineStream
from tests.unit.auditor.planted import (
    ALICE,
    BOB,
    PRICE,
    USDT,
    a_days_trading,
    changed,
    first_breaches,
    order,
    with_fields,
)

ETH = 2


def agreed() -> EngineStream:
    """Alice is in a tier and sells; Bob buys, and pays in USDT, which needs no price."""
    stream = a_days_trading()
    stream.apply(
        SetFeeTier(80, 1, USDT, ONE, 500_000, 500_000),
        SetAccountTier(81, ALICE, 1),
        SetFeeDiscount(82, USDT, 250_000),
        SwitchFeeDiscount(83, BOB, 1),
        CreditDeposit(84, BOB, USDT, 100_000 * ONE, 9_901),
        order(85, ALICE, codes.SELL, PRICE),
        order(86, BOB, codes.BUY, PRICE, 100),
    )
    assert isinstance(stream.outcomes[-1].events[1].event, TradeExecutedWithDiscount)
    return stream


def test_what_is_agreed_is_sound_also_from_an_image() -> None:
    stream = agreed()
    state = AuditState()
    assert first_breaches(stream.outcomes[:-1], state) == ()
    again, next_offset = state_of(to_bytes(state, 7))
    assert (next_offset, to_bytes(again, 7)) == (7, to_bytes(state, 7))
    for one in (state, again):
        assert not Audit(one).apply(stream.outcomes[-1])
    assert to_bytes(again, 7) == to_bytes(state, 7)


def one_more(name: str) -> Callable[[Any], list[Event]]:
    def change(event: Any) -> list[Event]:
        return [with_fields(event, **{name: getattr(event, name) + 1})]

    return change


def plain(event: Any) -> list[Event]:
    """The same trade, with what both would pay who have agreed on nothing."""
    fees = {"buyer_fee_atoms": event.base_atoms // 1_000, "seller_fee_atoms": event.quote_atoms // 1_000}
    values = {name: getattr(event, name) for name in field_names(TradeExecuted)}
    return [TradeExecuted(**values | fees)]


def in_another_asset(event: Any) -> list[Event]:
    return [with_fields(event, discount_asset_id=ETH)]


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        (one_more("buyer_discount_fee_atoms"), {"I4"}),
        (one_more("seller_fee_atoms"), {"I4"}),
        (one_more("seller_discount_fee_atoms"), {"I4"}),
        (one_more("buyer_fee_atoms"), {"I4"}),
        (plain, {"I4"}),
        (in_another_asset, {"I4", "I2"}),
    ],
    ids=[
        "more than the discount leaves",
        "more than the tier's share",
        "in the discount asset unasked, and twice",
        "twice",
        "without regard to the tier",
        "in an asset that nobody has named",
    ],
)
def test_a_fee_beyond_what_is_agreed_is_found(
    change: Callable[[Any], list[Event]], invariants: set[str]
) -> None:
    stream = agreed()
    outcomes = changed(stream.outcomes, TradeExecutedWithDiscount, change)
    assert {breach.invariant for breach in first_breaches(outcomes)} == invariants


@pytest.mark.parametrize(
    "event",
    [
        FeeTierChanged(2, USDT, 1, 1_000_001, 0),
        FeeTierChanged(2, 99, 1, 0, 0),
        AccountTierChanged(BOB, 2),
        FeeDiscountChanged(99, 0),
        FeeDiscountChanged(USDT, 1_000_001),
    ],
)
def test_what_nobody_can_agree_on_is_found(event: Event) -> None:
    stream = agreed()
    stream.append(event)
    assert {breach.invariant for breach in first_breaches(stream.outcomes)} == {"I8"}


def test_a_discount_without_a_price_is_found() -> None:
    """Bob has ETH and pays in it, but nobody has traded ETH for USDT."""
    stream = agreed()
    stream.apply(
        CreditDeposit(87, BOB, ETH, ONE, 9_902),
        SetFeeDiscount(88, ETH, 250_000),
        order(89, ALICE, codes.SELL, PRICE),
        order(90, BOB, codes.BUY, PRICE, 100),
    )
    assert first_breaches(stream.outcomes) == ()

    def discounted(event: Any) -> list[Event]:
        values = {name: getattr(event, name) for name in field_names(TradeExecuted)}
        made: Any = TradeExecutedWithDiscount
        return [made(*(values | {"buyer_fee_atoms": 0}).values(), ETH, 1, 0)]

    trades = sum(type(r.event) is TradeExecuted for o in stream.outcomes for r in o.events)
    outcomes = changed(stream.outcomes, TradeExecuted, discounted, trades - 1)
    assert {breach.invariant for breach in first_breaches(outcomes)} == {"I4"}
