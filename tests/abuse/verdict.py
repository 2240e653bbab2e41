"""What each abuse may come to at the most, and what it must be answered. Pure.

Successes are bounded by the limit and the windows that the abuse's time can touch.
"""

from collections.abc import Callable, Mapping
from typing import Final

from exchange.http.request_limits import ORDERS_10S, WEIGHT
from exchange.http.socket_limits import OPEN_MAX
from services.market_data.streams.hub import INVENTED_PER_CLIENT_MAX
from services.user.people.accounts import ATTEMPTS_PER_ADDRESS_MAX, ATTEMPTS_WINDOW_S

__all__ = ["JUDGES", "judge"]

Answers = Mapping[str, int]
Facts = Mapping[str, float]
Judge = Callable[[Answers, Facts, float], list[str]]
# A count that another process made is known a second later: what 300 requests a second may slip in by.
_LATE: Final = 300


def judge(name: str, answers: Answers, facts: Facts, seconds: float) -> list[str]:
    """What was promised and did not hold; nothing when all did."""
    broken = [f"{count} x {answer}" for answer, count in answers.items() if answer.startswith("500")]
    return [*broken, *JUDGES[name](answers, facts, seconds)]


def _windows(seconds: float, length_s: float) -> int:
    """How many windows of a length some seconds can touch."""
    return int(seconds // length_s) + 2


def _orders(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    most = ORDERS_10S.most * _windows(seconds, 10)
    found = [
        f"{facts[fact]:.0f} {fact}, at most {most} were allowed"
        for fact in ("orders that exist", "orders counted")
        if not 0 <= facts[fact] <= most
    ]
    if facts["orders counted"] < facts["orders that exist"]:
        found.append("orders exist that were not counted")
    if not facts["orders that exist"]:
        found.append("no order was placed: the abuse did not work")
    return found


def _refused_orders(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    found = _orders(answers, facts, seconds)
    if not _starting(answers, "429"):
        found.append("nothing was refused with 429")
    return found


def _idle(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    found = []
    if facts["sockets held"] > 2 * OPEN_MAX:
        found.append(f"{facts['sockets held']:.0f} sockets of one address")
    if not facts["sockets held"]:
        found.append("no socket was held: the abuse did not work")
    if not _starting(answers, "handshake 4"):
        found.append("no handshake was refused")
    return found


def _invented(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    if not facts["sockets"]:
        return ["no socket was opened: the abuse did not work"]
    if facts["names kept"] > INVENTED_PER_CLIENT_MAX:
        return [f"{facts['names kept']:.0f} invented names are remembered for one socket"]
    return []


def _walks(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    most = ORDERS_10S.most * _windows(seconds, 10)
    reached = answers.get("400 -2010", 0)
    found = [] if reached <= most else [f"{reached} orders reached the engine, at most {most} may"]
    if not reached:
        found.append("no order reached the engine: the abuse did not work")
    if not answers.get("429 -1015"):
        found.append("no order was refused by the order count")
    return found


def _weighing(weight: int) -> Judge:
    def check(answers: Answers, facts: Facts, seconds: float) -> list[str]:
        most = WEIGHT.most // weight * _windows(seconds, 60) + _LATE
        served = answers.get("200", 0)
        found = [] if served <= most else [f"{served} were served, at most {most} may"]
        if not served:
            found.append("nothing was served: the abuse did not work")
        if sum(answers.values()) > most and not _starting(answers, "429", "418", "handshake 4"):
            found.append("nothing was refused")
        return found

    return check


def _log_ins(answers: Answers, facts: Facts, seconds: float) -> list[str]:
    most = 4 * ATTEMPTS_PER_ADDRESS_MAX * _windows(seconds, ATTEMPTS_WINDOW_S)
    tried = answers.get("401", 0)
    found = [] if tried <= most else [f"{tried} passwords were looked at, at most {most} may be"]
    if not tried:
        found.append("no password was looked at: the abuse did not work")
    if not _starting(answers, "429"):
        found.append("nothing was refused")
    return found


def _starting(answers: Answers, *starts: str) -> int:
    return sum(count for answer, count in answers.items() if answer.startswith(starts))


JUDGES: Final[dict[str, Judge]] = {
    "orders in flight": _refused_orders,
    "sockets that close early": _orders,
    "invented ids": _refused_orders,
    "idle sockets": _idle,
    "invented streams": _invented,
    "MARKET orders without money": _walks,
    "klines of a shifted zone": _weighing(2),
    "history polls": _weighing(20),
    "whole books by ws-api": _weighing(250),
    "log-ins": _log_ins,
}
