"""The verdict sees what was not bounded, and an abuse that did nothing."""

import pytest

from exchange.http.request_limits import ORDERS_10S, WEIGHT
from exchange.http.socket_limits import OPEN_MAX
from tests.abuse.abuses import ABUSES
from tests.abuse.verdict import JUDGES, judge

SECONDS = 30.0
GOOD: dict[str, tuple[dict[str, int], dict[str, float]]] = {
    "orders in flight": ({"200": 300, "429 -1015": 9_000}, {"orders that exist": 300, "orders counted": 300}),
    "sockets that close early": (
        {"handshake 101": 90},
        {"orders sent": 5_000, "orders that exist": 300, "orders counted": 310},
    ),
    "invented ids": (
        {"409 -2021": 300, "429 -1015": 9_000},
        {"orders that exist": 300, "orders counted": 300},
    ),
    "idle sockets": ({"handshake 101": 600, "handshake 429": 200}, {"sockets held": 600}),
    "invented streams": ({"handshake 101": 20}, {"sockets": 20, "names asked": 700, "names kept": 100}),
    "MARKET orders without money": ({"400 -2010": 400, "429 -1015": 8_000}, {}),
    "klines of a shifted zone": ({"200": 3_000, "429 -1003": 5_000}, {}),
    "history polls": ({"200": 300, "429 -1003": 5_000, "418 -1003": 9}, {}),
    "whole books by ws-api": ({"200": 24, "handshake 429": 50}, {}),
    "log-ins": ({"401": 240, "429": 8_000}, {}),
}


def test_each_abuse_has_a_judge() -> None:
    assert set(JUDGES) == set(ABUSES) == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_bounded_and_refused_is_well(name: str) -> None:
    answers, facts = GOOD[name]
    assert judge(name, answers, facts, SECONDS) == []


@pytest.mark.parametrize("name", GOOD)
def test_an_abuse_that_did_nothing_proves_nothing(name: str) -> None:
    assert judge(name, {"ClientConnectorError": 9_000}, dict.fromkeys(GOOD[name][1], 0.0), SECONDS)


@pytest.mark.parametrize("name", GOOD)
def test_an_error_of_ours_is_seen(name: str) -> None:
    answers, facts = GOOD[name]
    assert judge(name, answers | {"500 -1000": 1}, facts, SECONDS) == ["1 x 500 -1000"]


@pytest.mark.parametrize(
    ("name", "answers", "facts"),
    [
        ("orders in flight", {}, {"orders that exist": 10 * ORDERS_10S.most}),
        ("orders in flight", {}, {"orders counted": 100.0}),
        ("orders in flight", {"429 -1015": 0}, {}),
        ("sockets that close early", {}, {"orders counted": 0.0}),
        ("invented ids", {}, {"orders that exist": 5_000.0}),
        ("idle sockets", {}, {"sockets held": 2 * OPEN_MAX + 1}),
        ("idle sockets", {"handshake 429": 0}, {}),
        ("invented streams", {}, {"names kept": 700.0}),
        ("MARKET orders without money", {"400 -2010": 9_000}, {}),
        ("MARKET orders without money", {"429 -1015": 0}, {}),
        ("klines of a shifted zone", {"200": 9_000}, {}),
        ("history polls", {"200": WEIGHT.most}, {}),
        ("history polls", {"429 -1003": 0, "418 -1003": 0, "ClientError": 9_000}, {}),
        ("whole books by ws-api", {"200": 3_000}, {}),
        ("log-ins", {"401": 5_000}, {}),
    ],
)
def test_what_is_not_bounded_or_not_refused_is_seen(
    name: str, answers: dict[str, int], facts: dict[str, float]
) -> None:
    good_answers, good_facts = GOOD[name]
    changed = {answer: count for answer, count in (good_answers | answers).items() if count}
    assert judge(name, changed, good_facts | facts, SECONDS)
