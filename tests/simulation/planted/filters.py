"""Planted bugs in filters that change and in markets that end (see mutations.py)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from matching_engine.core import filter_state, retiring, trading
from tests.simulation.loop import patched

__all__ = ["MUTATIONS_OF_FILTERS"]


def _no_step_is_kept() -> AbstractContextManager[None]:
    return patched(trading, step_rejection=lambda market, price_ticks, quantity_lots: 0)


def _accounts_are_not_counted() -> AbstractContextManager[None]:
    return patched(trading, account_rejection=lambda *_: 0)


def _snapshots_forget_filters() -> AbstractContextManager[None]:
    return patched(filter_state, keep_filter=lambda state, command: None)


def _orders_outlive_their_market() -> AbstractContextManager[None]:
    return patched(retiring, close_retired=lambda state, events: state.retiring.clear())


MUTATIONS_OF_FILTERS: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "a price between two steps is taken": _no_step_is_kept,
    "orders of an account are not counted": _accounts_are_not_counted,
    "a snapshot forgets the filters": _snapshots_forget_filters,
    "orders outlive their market": _orders_outlive_their_market,
}
