"""What requests of the WebSocket API cost: what the same costs by REST."""

from collections.abc import Mapping
from typing import Final

from exchange.http.query_parameters import Parameters
from exchange.http.weights import MARKET_DATA_WEIGHTS, UNKNOWN, weight_of
from services.order.doors.endpoint import Endpoint
from services.order.doors.market_data import MARKET_DATA_PATHS
from services.order.doors.rest import PREFIX

__all__ = ["CONNECTION_WEIGHT", "method_weight"]

CONNECTION_WEIGHT: Final = 2
# Methods of the socket itself; ping and time are market data by REST, and weigh the same.
_OWN_WEIGHTS: Final = {
    "ping": 1,
    "time": 1,
    "session.logon": 2,
    "session.status": 2,
    "session.logout": 2,
    "session.subscriptions": 2,
    "userDataStream.subscribe": 2,
    "userDataStream.subscribe.signature": 2,
    "userDataStream.unsubscribe": 2,
}


def method_weight(methods: Mapping[str, Endpoint], method: str, parameters: Parameters) -> int:
    """The weight of a request, whether there is such a method or not."""
    endpoint = methods.get(method)
    if endpoint is not None:
        return weight_of(endpoint.weight, parameters)
    path = MARKET_DATA_PATHS.get(method)
    if path is not None:
        return weight_of(MARKET_DATA_WEIGHTS[PREFIX + path], parameters)
    return _OWN_WEIGHTS.get(method, UNKNOWN)
