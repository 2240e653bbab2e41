"""An open order as the model knows it."""

from exchange.contracts.codes import STATE_WORKING
from exchange.contracts.events import OrderAccepted
from exchange.contracts.order_events import OrderWithTermsAccepted

__all__ = ["ModelOrder"]


class ModelOrder:
    """An order that has not ended. `place`: its turn among those of its price, counted as they come to rest.

    `open_lots`: what may still trade; of an iceberg the book shows `shown_lots` of it.
    """

    def __init__(self, accepted: OrderAccepted | OrderWithTermsAccepted) -> None:
        self.accepted = accepted
        self.name = accepted.client_order_id
        self.price_ticks = accepted.price_ticks
        self.quantity_lots = accepted.quantity_lots
        self.open_lots = accepted.quantity_lots
        self.held = accepted.held_atoms
        self.resting_lots = accepted.resting_lots
        self.rests = False
        self.place = 0
        self.shown_lots = 0
        self.state, self.iceberg_lots, self.list_id = STATE_WORKING, 0, 0
        if isinstance(accepted, OrderWithTermsAccepted):
            self.state, self.iceberg_lots = accepted.state, accepted.iceberg_lots
            self.list_id = accepted.order_list_id
        self.since = 0  # how many trades its market had when it began to wait
        self.bought = self.bought_fees = 0  # base atoms, and the fees taken from them
