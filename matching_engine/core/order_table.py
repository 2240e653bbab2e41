"""The open orders by id, found by a chain that the orders themselves carry: no key objects, no entries.

Order ids grow by one, so an id's low bits scatter the orders evenly over the slots. Slots are added one at a
time (linear hashing), so that no order pays for all others.
"""

from typing import Final

from mypy_extensions import i64

from matching_engine.core.order import Order

_SLOTS_MIN: Final = 1_024


class OrderTable:
    """Slots, never fewer than orders, each the head of a chain (`Order.next_in_slot`).

    A round begins with a power of two of them; each slot that is added takes its part of the next old one.
    """

    def __init__(self) -> None:
        self._slots: list[Order | None] = [None] * _SLOTS_MIN
        self._begun_with: i64 = _SLOTS_MIN
        self._count: i64 = 0

    def __len__(self) -> int:
        return self._count

    def get(self, order_id: int) -> Order | None:
        """The open order with this id, None when there is none."""
        order = self._slots[self._slot_of(order_id)]
        while order is not None and order.order_id != order_id:
            order = order.next_in_slot
        return order

    def add(self, order: Order) -> None:
        """Take an order whose id is new."""
        if self._count == len(self._slots):
            self._grow()
        self._put(order)
        self._count += 1

    def remove(self, order: Order) -> None:
        """Take out an order that is there."""
        slot = self._slot_of(order.order_id)
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

    def _slot_of(self, order_id: i64) -> i64:
        begun_with = self._begun_with
        slot = order_id & (begun_with - 1)
        if slot < len(self._slots) - begun_with:
            # This one has been split in this round.
            slot = order_id & (2 * begun_with - 1)
        return slot

    def _put(self, order: Order) -> None:
        slot = self._slot_of(order.order_id)
        order.next_in_slot = self._slots[slot]
        self._slots[slot] = order

    def _grow(self) -> None:
        """One slot more: what belongs there stood in the next slot that this round has not split yet."""
        slots, begun_with = self._slots, self._begun_with
        split = len(slots) - begun_with
        order = slots[split]
        slots[split] = None
        slots.append(None)
        while order is not None:
            following = order.next_in_slot
            self._put(order)
            order = following
        if len(slots) == 2 * begun_with:
            self._begun_with = 2 * begun_with


def _id_of(order: Order) -> int:
    return order.order_id
