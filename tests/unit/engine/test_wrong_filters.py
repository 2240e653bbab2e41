"""Filters that cannot be: each is refused with a reason in words, and changes nothing (ADR 0045)."""

import pytest

from exchange.contracts import codes, limits
from exchange.contracts.events import CommandRejected
from matching_engine.core.shard import Shard
from matching_engine.core.state import to_rows
from tests.unit.engine.terms_exchange import BTC
from tests.unit.engine.test_filters import Filtered, exchange

__all__ = ["exchange"]


IMPOSSIBLE = [
    (0, 1, 0, "no such filter"),
    (99, 0, 0, "no such filter"),
    (codes.FILTER_PRICE, 1, 0, "the range is empty"),
    (codes.FILTER_MAX_NUM_ORDERS, 1, BTC, "the filter is another's"),
    (codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 1, 0, "the filter is another's"),
]


@pytest.mark.parametrize(("kind", "market", "asset", "problem"), IMPOSSIBLE)
def test_what_is_no_filter_is_refused(
    exchange: Filtered, kind: int, market: int, asset: int, problem: str
) -> None:
    (event,) = exchange.set(kind, 5, market=market, asset=asset)
    assert isinstance(event, CommandRejected)
    assert (event.reason, event.detail) == (codes.REJECT_MALFORMED, problem)


WRONG_VALUES: list[tuple[int, tuple[int, ...]]] = [
    (codes.FILTER_PRICE, (0, 10, 1)),
    (codes.FILTER_PRICE, (11, 10, 1)),
    (codes.FILTER_PRICE, (1, 10, 0)),
    (codes.FILTER_PRICE, (1, 10, 1, 1)),
    (codes.FILTER_LOT_SIZE, (0, 0, 0)),
    (codes.FILTER_MARKET_LOT_SIZE, (1, 0, 1)),
    (codes.FILTER_NOTIONAL, (5, 1, 4, 1)),
    (codes.FILTER_NOTIONAL, (5, 2, 6, 1)),
    (codes.FILTER_MIN_NOTIONAL, (5, 2)),
    (codes.FILTER_MIN_NOTIONAL, (0, 1)),
    (codes.FILTER_PERCENT_PRICE, (1, 2)),
    (codes.FILTER_PERCENT_PRICE, (1, 0)),
    (codes.FILTER_PERCENT_PRICE_BY_SIDE, (2, 1, 1, 2)),
    (codes.FILTER_PERCENT_PRICE_BY_SIDE, (0, 0, 0, 0)),
    (codes.FILTER_MAX_NUM_ORDERS, (0,)),
    (codes.FILTER_MAX_NUM_ORDERS, (limits.OPEN_ORDERS_MAX + 1,)),
    (codes.FILTER_MAX_NUM_ALGO_ORDERS, (limits.ALGO_ORDERS_MAX + 1,)),
    (codes.FILTER_MAX_NUM_ICEBERG_ORDERS, (limits.ICEBERG_ORDERS_MAX + 1,)),
    (codes.FILTER_MAX_NUM_ORDER_LISTS, (limits.ORDER_LISTS_MAX + 1,)),
    (codes.FILTER_MAX_NUM_ORDER_AMENDS, (limits.ORDER_AMENDS_MAX + 1,)),
    (codes.FILTER_ICEBERG_PARTS, (limits.ICEBERG_PARTS_MAX + 1,)),
    (codes.FILTER_TRAILING_DELTA, (limits.TRAILING_BIPS_MIN - 1, 20, 10, 20)),
    (codes.FILTER_TRAILING_DELTA, (10, 20, 10, limits.TRAILING_BIPS_MAX + 1)),
    (codes.FILTER_TRAILING_DELTA, (20, 10, 10, 20)),
    (codes.FILTER_MAX_POSITION, (5, 1)),
]


@pytest.mark.parametrize(("kind", "values"), WRONG_VALUES)
def test_values_that_cannot_be_are_refused_and_change_nothing(
    exchange: Filtered, kind: int, values: tuple[int, ...]
) -> None:
    before = to_rows(Shard(exchange.engine))
    (event,) = exchange.set(kind, *values)
    assert isinstance(event, CommandRejected)
    assert event.reason == codes.REJECT_MALFORMED
    assert event.detail
    after = to_rows(Shard(exchange.engine))
    assert before[3:] == after[3:]


def test_what_does_not_exist_has_no_filter(exchange: Filtered) -> None:
    assert exchange.refusal(exchange.set(codes.FILTER_MAX_POSITION, 5, market=99)) == (
        codes.REJECT_UNKNOWN_MARKET
    )
    assert exchange.refusal(exchange.set(codes.FILTER_MAX_ASSET, 5, asset=99)) == codes.REJECT_UNKNOWN_ASSET
