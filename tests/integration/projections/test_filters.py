"""Filters in the ledger's table, on real PostgreSQL: a service that starts knows what one knows that ran."""

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.filter_commands import SetFilter
from exchange.contracts.filter_kinds import ASSET, FILTER_KINDS, MARKET
from exchange.process.components import Resources
from exchange.process.readers import Readers
from services.market_data.markets.bootstrap import load_state
from services.market_data.markets.state import MarketState
from services.order.view.bootstrap import load_view
from services.order.view.model import AccountView
from services.projections.rebuild import fingerprints
from tests.event_streams import EngineStream
from tests.integration.projections.test_orders_with_terms import written
from tests.unit.engine.test_filters import some_values

pytestmark = pytest.mark.integration
BTCUSDT, USDT = 1, 3


@pytest.fixture
def stream() -> EngineStream:
    """Every filter changes twice, the second time to what stays; one is switched off; a market ends."""
    told = EngineStream()
    for kind, of in FILTER_KINDS.items():
        place = (BTCUSDT if of.scope == MARKET else 0, USDT if of.scope == ASSET else 0)
        first, *others = (*some_values(kind), 0, 0, 0)[:4]
        told.apply(SetFilter(1, kind, *place, first + 1, *(n + (n > 1) for n in others)))
        told.apply(SetFilter(1, kind, *place, first, *others))
    told.apply(SetFilter(1, codes.FILTER_MAX_POSITION, BTCUSDT, 0, 0, 0, 0, 0))
    told.apply(SetTradingMode(1, 2, codes.MODE_RETIRED))
    return told


@pytest.mark.parametrize("at_once", [True, False], ids=["one transaction", "one for each outcome"])
async def test_who_starts_knows_the_filters_of_who_followed(
    resources: Resources, stream: EngineStream, at_once: bool
) -> None:
    await written(resources, stream.outcomes, at_once)
    followed, public = AccountView(), MarketState()
    for outcome in stream.outcomes:
        followed.apply(outcome)
        public.apply(outcome)
    async with resources.database.acquire() as connection:
        loaded, _ = await load_view(connection, 0, 5.0)
        rows = (await fingerprints(connection))["filters"]
    assert rows.startswith(f"{len(FILTER_KINDS)} ")
    restarted, _ = await load_state(Readers.from_resources(resources), 0, stream.outcomes[-1].time_ms)
    expected = vars(followed.filters)
    for one in (loaded.filters, public.filters, restarted.filters):
        assert vars(one) == expected
    for view in (loaded, followed):
        market = view.markets[BTCUSDT]
        assert market.changed == followed.markets[BTCUSDT].changed
        assert vars(market.rules) == vars(public.views[BTCUSDT].market.rules)
        assert vars(market.rules) == vars(restarted.views[BTCUSDT].market.rules)
        assert view.markets[2].mode == codes.MODE_RETIRED
    assert codes.FILTER_MAX_POSITION not in loaded.filters.of_market(loaded.markets[BTCUSDT].rules)
