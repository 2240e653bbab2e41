"""Names that nobody sends anything under: taken, as upstream does, and next to free."""

import pytest

from exchange.contracts.codes import MODE_TRADING
from services.market_data.streams import hub as hubs
from services.market_data.streams.hub import INVENTED_PER_CLIENT_MAX, Hub
from tests.event_streams import RandomTrading
from tests.unit.market_data.clients import HubClient
from tests.unit.market_data.services import OfflineService

NAMES = [f"s{number}@trade" for number in range(1_000)]


@pytest.fixture
def offline() -> OfflineService:
    service = OfflineService()
    trading = RandomTrading(11)
    service.apply(trading.stream.outcomes)
    return service


def test_invented_names_have_no_topics(offline: OfflineService) -> None:
    assert offline.state.views
    others = len(offline.hub.topics)
    clients = [HubClient(offline.hub, *NAMES) for _ in range(100)]
    assert len(offline.hub.topics) == others
    for client in clients:
        assert len(client.client.names) == INVENTED_PER_CLIENT_MAX
        assert client.client.forgotten == len(NAMES) - INVENTED_PER_CLIENT_MAX


def test_all_connections_together_have_a_bound(
    offline: OfflineService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "INVENTED_MAX", 150)
    first, second = (HubClient(offline.hub, *NAMES) for _ in range(2))
    assert [len(each.client.names) for each in (first, second)] == [100, 50]
    # What a client leaves is free for others, whether it left or forgot.
    offline.hub.unsubscribe(first.client, NAMES[:30])
    offline.hub.disconnect(second.client)
    third = HubClient(offline.hub, *NAMES)
    assert len(third.client.names) == 80
    for client in (first, third):
        offline.hub.disconnect(client.client)
    assert vars(offline.hub)["_invented"] == 0


def test_real_streams_are_not_touched_by_invented_ones(offline: OfflineService) -> None:
    client = HubClient(offline.hub, *NAMES, "btcusdt@trade")
    assert "btcusdt@trade" in client.client.names
    assert list(offline.hub.topics) == ["btcusdt@trade"]


def test_a_stream_begins_with_its_market() -> None:
    """Before the first event there is no market; names of all markets are heard at once."""
    offline = OfflineService()
    early = HubClient(offline.hub, "btcusdt@bookTicker", "never@trade", "!bookTicker")
    assert list(offline.hub.topics) == ["!bookTicker"]
    trading = RandomTrading(11)
    trading.run(200)
    offline.apply(trading.stream.outcomes)
    assert "btcusdt@bookTicker" in offline.hub.topics
    assert early.client.invented == 1
    single = [message for message in early.take() if message["s"] == "BTCUSDT"]
    assert len(single) >= 2, "once by its own stream, once by that of all"
    assert offline.state.by_symbol["BTCUSDT"].market.mode == MODE_TRADING


def test_before_the_markets_are_known_each_name_could_be_one() -> None:
    hub = Hub()
    early = HubClient(hub, "btcusdt@trade", "never@trade", "nothing")
    assert sorted(hub.topics) == ["btcusdt@trade", "never@trade"]
    hub.know(["BTCUSDT"])
    assert list(hub.topics) == ["btcusdt@trade"]
    assert (len(early.client.names), early.client.invented) == (3, 2)
    hub.know(["NEVER"])
    assert sorted(hub.topics) == ["btcusdt@trade", "never@trade"]
    hub.disconnect(early.client)
    assert not hub.topics
    assert vars(hub)["_invented"] == 0
