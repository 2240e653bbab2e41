"""The auditor about filters and markets that end: what cannot be is a breach (ADR 0045)."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.events import TradingModeChanged
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_events import FilterChanged
from exchange.contracts.filter_kinds import ASSET, FILTER_KINDS, MARKET
from services.auditor.audit.outcomes import Audit
from services.auditor.audit.state import AuditState
from tests.event_streams import EngineStream
from tests.unit.auditor.planted import a_days_trading
from tests.unit.engine.test_filters import some_values

BTCUSDT, USDT = 1, 3


def breaches(stream: EngineStream) -> list[str]:
    audit = Audit(AuditState())
    return [breach.detail for outcome in stream.outcomes for breach in audit.apply(outcome)]


def test_what_the_engine_does_is_no_breach() -> None:
    """Every filter changes; a market with open orders ends, step by step."""
    stream = a_days_trading()
    for kind, of in FILTER_KINDS.items():
        place = (BTCUSDT if of.scope == MARKET else 0, USDT if of.scope == ASSET else 0)
        stream.apply(SetFilter(1, kind, *place, *(*some_values(kind), 0, 0, 0, 0)[:4]))
    open_before = len(stream.engine.orders)
    stream.apply(SetTradingMode(1, BTCUSDT, codes.MODE_RETIRED))
    assert open_before > len(stream.engine.orders) == 0
    assert breaches(stream) == []


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (FilterChanged(99, 0, 0, 1, 0, 0, 0), "filter 99 of 0, 0 is none"),
        (FilterChanged(codes.FILTER_PRICE, 0, 0, 1, 2, 1, 0), "filter 1 of 0, 0 is none"),
        (FilterChanged(codes.FILTER_MAX_ASSET, 1, 1, 1, 0, 0, 0), "filter 30 of 1, 1 is none"),
        (FilterChanged(codes.FILTER_EXCHANGE_MAX_NUM_ORDERS, 1, 0, 1, 0, 0, 0), "filter 20 of 1, 0 is none"),
        (FilterChanged(codes.FILTER_PRICE, 77, 0, 1, 2, 1, 0), "PRICE_FILTER of market 77, "),
        (FilterChanged(codes.FILTER_MAX_ASSET, 0, 77, 1, 0, 0, 0), "MAX_ASSET of asset 77, "),
    ],
)
def test_a_filter_of_nothing_is_a_breach(event: FilterChanged, said: str) -> None:
    stream = a_days_trading()
    stream.append(event)
    (detail,) = breaches(stream)
    assert detail.startswith(said)


@pytest.mark.parametrize("mode", [codes.MODE_TRADING, codes.MODE_RETIRED])
def test_a_market_that_begins_again_is_a_breach(mode: int) -> None:
    stream = a_days_trading()
    stream.apply(SetTradingMode(1, BTCUSDT, codes.MODE_RETIRED))
    stream.append(TradingModeChanged(BTCUSDT, mode))
    assert breaches(stream) == [f"BTCUSDT has ended, and has mode {mode} after that"]
