"""The read model follows the events exactly."""

import gc
from collections.abc import Sequence

import pytest

from exchange.contracts.codec import CommandOutcome, RecordedEvent
from exchange.contracts.order_events import OrderAmended
from services.order.view.model import AccountView, ViewError
from tests.event_streams import EngineStream, RandomTrading


def view_of(stream: EngineStream, **options: int) -> AccountView:
    view = AccountView(**options)
    for outcome in stream.outcomes:
        view.apply(outcome)
    return view


@pytest.mark.parametrize("seed", range(5))
def test_view_equals_the_engine_after_random_trading(seed: int) -> None:
    trading = RandomTrading(seed)
    trading.run(3_000)
    engine = trading.stream.engine
    view = view_of(trading.stream)
    assert view.seq == trading.stream.seq
    assert view.balances
    for user_id in view.balances:
        for asset, balance in view.balances_of(user_id):
            kept = engine.accounts.balance(user_id, asset.asset_id)
            assert (balance.available_atoms, balance.held_atoms) == (kept.available, kept.held)
        own = {o.order_id: o for o in engine.orders.values() if o.user_id == user_id}
        assert {o.order_id for o in view.open_orders(user_id)} == set(own)
        for order in view.open_orders(user_id):
            assert order.quantity_lots - order.executed_lots == own[order.order_id].open_lots
            assert view.order_by_client_id(user_id, order.market_id, order.client_order_id) is order


def test_closed_orders_are_remembered_up_to_a_bound() -> None:
    trading = RandomTrading(7)
    trading.run(2_000)
    view = view_of(trading.stream, closed_orders_max=50)
    assert len(view._closed) == 50
    assert len(view._closed_by_client_id) <= 50
    for order in view._closed.values():
        assert not order.is_open
        assert view.order(order.order_id) is order


def test_events_that_cannot_follow_stop_the_service() -> None:
    trading = RandomTrading(3)
    trading.run(300)
    view = AccountView()
    with pytest.raises(ViewError):
        _apply_all(view, trading.stream.outcomes[10:])


def _apply_all(view: AccountView, outcomes: Sequence[CommandOutcome]) -> None:
    for outcome in outcomes:
        view.apply(outcome)


def test_an_order_that_was_renamed_keeps_its_place_and_loses_its_old_name() -> None:
    trading = RandomTrading(1)
    trading.run(1_500)
    view = view_of(trading.stream)
    user_id = max(view.balances, key=lambda user: len(view.open_orders(user)))
    orders = view.open_orders(user_id)
    assert len(orders) > 2
    first, old_name = orders[0], orders[0].client_order_id
    market_id, lots = first.market_id, first.quantity_lots
    amended = OrderAmended(
        first.order_id, user_id, market_id, "new-name", first.side, first.price_ticks, lots, 0, 0
    )
    view.apply_event(RecordedEvent(view.seq + 1, b"", amended), 1)
    assert view.open_orders(user_id) == orders
    assert [o.order_id for o in view.open_orders(user_id)] == sorted(o.order_id for o in orders)
    assert view.order_by_client_id(user_id, market_id, "new-name") is first
    assert view.order_by_client_id(user_id, market_id, old_name) is not first


def test_the_collector_looks_at_no_open_order_nor_at_the_names_of_a_user() -> None:
    trading = RandomTrading(1)
    trading.run(1_000)
    view = view_of(trading.stream)
    plain = [o for orders in view._open_of_user.values() for o in orders.values() if o.terms is None]
    assert plain
    assert not any(gc.is_tracked(order) for order in plain)
    assert not any(gc.is_tracked(orders) for orders in view._open_of_user.values())
    (numbers,) = {len({id(o.user_id) for o in orders.values()}) for orders in view._open_of_user.values()}
    assert numbers == 1, "one number in memory tells whose a user's orders are"
