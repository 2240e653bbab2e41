"""Which service answers which path: one table for every mode.

nginx (`infra/nginx/exchange.conf.template`) and the Helm Ingress say the same; tests hold them equal.
"""

import re
from typing import Final

__all__ = ["ORDER_PATHS", "SERVICES", "is_terminal_path", "service_of_path"]

SERVICES: Final = ("order", "user", "market-data")

# First segment below /api/v3 of everything that needs an account.
ORDER_PATHS: Final = (
    "order",
    "openOrders",
    "allOrders",
    "myTrades",
    "account",
    "userDataStream",
    "rateLimit",
    "orderList",
    "openOrderList",
    "allOrderList",
    "myPreventedMatches",
    "myAllocations",
    "myFilters",
    "sor",
)
_ORDER: Final = re.compile(rf"/api/v3/({'|'.join(ORDER_PATHS)})(/.*)?|/sapi/.*|/ws-api/.*")
_USER: Final = re.compile(r"/v1/.*|/operator(/.*)?|/readyz|/healthz|/metrics")


def service_of_path(path: str) -> str:
    """Return the service's name; what nobody knows goes to market-data, which answers in Binance's way."""
    if _ORDER.fullmatch(path):
        return "order"
    if _USER.fullmatch(path):
        return "user"
    return "market-data"


def is_terminal_path(path: str) -> bool:
    """Whether the path is the web terminal's: files, which the gateway serves itself, and no service's route.

    In AWS they lie in a bucket (modules/frontend), and the load balancer knows nothing of them.
    """
    return path.startswith("/terminal/")
