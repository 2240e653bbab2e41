"""Planted bugs in triggers, lists, icebergs, amendments and what they hold (see mutations.py)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from exchange.contracts.events import Outcome
from exchange.contracts.order_events import IcebergRefilled
from matching_engine.core import amending, follow_ups, funding, matching, placing, survey, waiting
from matching_engine.core.engine_state import EngineState
from matching_engine.core.order import Order, Terms
from matching_engine.core.waiting import Waiting
from tests.simulation.loop import patched
from tests.simulation.planted.filters import MUTATIONS_OF_FILTERS

__all__ = ["MUTATIONS_OF_TERMS"]


def _trigger_on_the_wrong_side() -> AbstractContextManager[None]:
    rises = waiting.rises_to_stop
    return patched(waiting, rises_to_stop=lambda side, order_type: not rises(side, order_type))


def _triggered_twice() -> AbstractContextManager[None]:
    remove = Waiting.remove
    kept: list[Order] = []

    def removing(self: Waiting, order: Order, terms: Terms) -> None:
        remove(self, order, terms)
        if order not in kept and terms.stop_price_ticks:
            kept.append(order)
            self.stops_of(order, terms).add(order, terms.stop_price_ticks)

    return patched(Waiting, remove=removing)


def _iceberg_shows_all_it_hides() -> AbstractContextManager[None]:
    refill = matching.refill

    def showing(market: Any, maker: Order, terms: Terms, events: Outcome) -> None:
        slice_lots, terms.iceberg_lots = terms.iceberg_lots, max(terms.iceberg_lots, terms.hidden_lots)
        refill(market, maker, terms, events)
        terms.iceberg_lots = slice_lots

    return patched(matching, refill=showing)


def _oco_holds_twice() -> AbstractContextManager[None]:
    def shared_holds(terms: list[Terms], needs: list[int]) -> list[int]:
        return list(needs)

    return patched(placing, shared_holds=shared_holds)


def _oco_leaves_its_other_leg() -> AbstractContextManager[None]:
    def list_works(state: EngineState, market: Any, order: Order, events: Outcome) -> None:
        return None

    return patched(matching, list_works=list_works)


def _pending_placed_at_the_first_fill() -> AbstractContextManager[None]:
    list_works = matching.list_works

    def working_early(state: EngineState, market: Any, order: Order, events: Outcome) -> None:
        order_list = None if order.terms is None else order.terms.order_list
        if order_list is not None and order_list.working is order and order.lots_left():
            order_list.working, order_list.is_due = None, True
            order_list.orders.remove(order)
            assert order.terms is not None
            order.terms.order_list = None
            market.waits().due_lists.append(order_list)
            return
        list_works(state, market, order, events)

    return patched(matching, list_works=working_early)


def _iceberg_keeps_its_place() -> AbstractContextManager[None]:
    def refill(market: Any, maker: Order, terms: Terms, events: Outcome) -> None:
        if maker.open_lots or not terms.hidden_lots:
            return
        lots = min(terms.iceberg_lots, terms.hidden_lots)
        terms.hidden_lots -= lots
        maker.open_lots = lots
        market.book.add(maker)
        level, before = maker.level, maker.previous
        if level is not None and level.head is not None and before is not None:
            before.next, level.tail = None, before
            maker.previous, maker.next = None, level.head
            level.head.previous, level.head = maker, maker
        rules = market.rules.market_id
        price = maker.price_ticks
        events.append(IcebergRefilled(maker.order_id, maker.user_id, rules, maker.side, price, lots))

    return patched(matching, refill=refill)


def _hidden_lots_are_not_seen() -> AbstractContextManager[None]:
    level = survey.Survey._level

    def without_hidden(self: Any, book: Any, first: Order, *bounds: int) -> Any:
        hidden = [(o, o.terms, o.terms.hidden_lots) for o in book.orders(first.side) if o.terms is not None]
        for _, terms, _ in hidden:
            terms.hidden_lots = 0
        try:
            return level(self, book, first, *bounds)
        finally:
            for _, terms, lots in hidden:
                terms.hidden_lots = lots

    return patched(survey.Survey, _level=without_hidden)


def _amendment_keeps_the_hold() -> AbstractContextManager[None]:
    shrink = amending._shrink

    def shrinking(market: Any, order: Order, terms: Terms, cut: int, hold: int, events: Outcome) -> None:
        shrink(market, order, terms, cut, order.held_atoms, events)

    return patched(amending, _shrink=shrinking)


def _due_orders_have_no_turn() -> AbstractContextManager[None]:
    follow_up = follow_ups.follow_up

    def following(state: EngineState, market: Any, events: Outcome) -> None:
        follow_up(state, market, events)
        state.backlog.clear()

    return patched(placing, follow_up=following)


def _purchase_is_not_kept() -> AbstractContextManager[None]:
    return patched(matching, fund_pending=lambda *of: None)


def _all_that_is_due_at_once() -> AbstractContextManager[None]:
    return patched(follow_ups, _may_go_on=lambda state: True)


def _sells_less_than_it_bought() -> AbstractContextManager[None]:
    return patched(follow_ups, funded_lots=lambda *of: max(1, funding.funded_lots(*of) - 1))


MUTATIONS_OF_TERMS: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "a stop order waits on the wrong side": _trigger_on_the_wrong_side,
    "an order is triggered and goes on waiting": _triggered_twice,
    "an iceberg shows all that it hides": _iceberg_shows_all_it_hides,
    "an OCO holds for both of its legs": _oco_holds_twice,
    "a fill of one leg leaves the other": _oco_leaves_its_other_leg,
    "pending orders are placed at the first fill": _pending_placed_at_the_first_fill,
    "an iceberg keeps its place": _iceberg_keeps_its_place,
    "hidden lots are not counted": _hidden_lots_are_not_seen,
    "an amendment keeps what it need not hold": _amendment_keeps_the_hold,
    "orders that are due have no turn": _due_orders_have_no_turn,
    **MUTATIONS_OF_FILTERS,
    "one command sends all to work that is due": _all_that_is_due_at_once,
    "what an OPO buys can be spent": _purchase_is_not_kept,
    "an OPO sells less than it has bought": _sells_less_than_it_bought,
}
