"""The open orders by id, found by a chain that the orders themselves carry: no key objects, no entries.

Order ids grow by one, so an id's low bits scatter the orders evenly over the slots.
"""

from typing import Final

from mypy_extensions import i64

from matching_engine.core.order import Order

_SLOTS_MIN: Final = 1_024


class OrderTable:
    """Slots, a power of two and never fewer than orders, each the head of a chain (`Order.next_in_slot`)."""

    def __init__(self) -> None:
        self._slots: list[Order | None] = [None] * _SLOTS_MIN
        self._mask: i64 = _SLOTS_MIN - 1
        self._count: i64 = 0

    def __len__(self) -> int:
        return self._count

    def get(self, order_id: int) -> Order | None:
        """The open order with this id, None when there is none."""
        wanted: i64 = order_id
        order = self._slots[wanted & self._mask]
        while order is not None and order.order_id != order_id:
            order = order.next_in_slot
        return order

    def add(self, order: Order) -> None:
        """Take an order whose id is new."""
        if self._count > self._mask:
            self._double()
        self._put(order)
        self._count += 1

    def remove(self, order: Order) -> None:
        """Take out an order that is there."""
        order_id: i64 = order.order_id
        slot = order_id & self._mask
        before = self._slots[slot]
        assert before is not None, "the order is known"
        if before is order:
            self._slots[slot] = order.next_in_slot
        else:
            while before.next_in_slot is not order:
                before = before.next_in_slot
                assert before is not None, "the order is known"
            before.next_in_slot = order.next_in_slot
        order.next_in_slot = None
        self._count -= 1

    def values(self) -> list[Order]:
        """All orders, the oldest first."""
        found: list[Order] = []
        for head in self._slots:
            order = head
            while order is not None:
                found.append(order)
                order = order.next_in_slot
        found.sort(key=_id_of)
        return found

    def _put(self, order: Order) -> None:
        order_id: i64 = order.order_id
        slot = order_id & self._mask
        order.next_in_slot = self._slots[slot]
        self._slots[slot] = order

    def _double(self) -> None:
        orders = self.values()
        size: i64 = 2 * (self._mask + 1)
        self._slots = [None] * size
        self._mask = size - 1
        for order in orders:
            self._put(order)


def _id_of(order: Order) -> int:
    return order.order_id
