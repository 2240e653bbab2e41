"""Request weight by address and orders by account: who goes beyond is refused, and who goes on is banned."""

import ipaddress

import pytest

from exchange.contracts.errors import LimitError
from exchange.http.request_limits import KEYS_MAX, ORDERS_10S, ORDERS_DAY, WEIGHT, RequestLimits, Window

HERE, THERE = "203.0.113.7", "203.0.113.8"


class Clock:
    """Begins with a minute."""

    def __init__(self) -> None:
        self.ms = 60_000 * 29_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> RequestLimits:
    return RequestLimits(clock, is_enforced=True)


def refusal(limits: RequestLimits, address: str) -> LimitError | None:
    try:
        limits.admit(address)
    except LimitError as error:
        return error
    return None


def test_an_address_that_has_used_its_weight_waits_for_the_next_minute(
    limits: RequestLimits, clock: Clock
) -> None:
    clock.ms += 45_500
    limits.add_weight(HERE, WEIGHT.most - 1)
    assert refusal(limits, HERE) is None
    assert limits.add_weight(HERE, 20) == WEIGHT.most + 19
    error = refusal(limits, HERE)
    assert error is not None
    assert (error.status, error.code, error.retry_after_s) == (429, -1003, 15)
    assert error.message.startswith(
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
    )
    assert refusal(limits, THERE) is None
    clock.ms += 14_500
    assert refusal(limits, HERE) is None
    assert limits.weight_limit(HERE)["count"] == 0


def test_an_address_that_goes_on_is_banned_longer_each_time(limits: RequestLimits, clock: Clock) -> None:
    lengths_s = []
    for _ in range(14):
        limits.add_weight(HERE, 2 * WEIGHT.most)
        error = refusal(limits, HERE)
        assert error is not None
        assert (error.status, error.code) == (418, -1003)
        assert f"IP banned until {error.retry_at_ms}." in error.message
        lengths_s.append(error.retry_after_s)
        clock.ms = error.retry_at_ms - 1
        assert refusal(limits, HERE) is not None
        clock.ms += 1
        assert refusal(limits, HERE) is None
    assert lengths_s[:3] == [120, 240, 480]
    assert lengths_s[-1] == 3 * 86_400


def test_an_account_places_so_many_orders_and_no_more(limits: RequestLimits, clock: Clock) -> None:
    for count in range(1, ORDERS_10S.most + 1):
        limits.admit_orders(7, 1)
        assert limits.add_orders(7, 1) == (count, count)
    with pytest.raises(LimitError, match="current limit is 100 orders per 10 SECOND") as refused:
        limits.admit_orders(7, 1)
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, -1015, 10)
    limits.admit_orders(8, 1)
    clock.ms += 10_000
    limits.admit_orders(7, 1)
    limits.add_orders(7, ORDERS_DAY.most)
    clock.ms += 10_000
    with pytest.raises(LimitError, match="200000 orders per 1 DAY"):
        limits.admit_orders(7, 1)
    assert [row["count"] for row in limits.order_limits(7)] == [0, ORDERS_DAY.most + ORDERS_10S.most]


def test_without_enforcement_all_is_counted_and_nobody_refused(clock: Clock) -> None:
    limits = RequestLimits(clock, is_enforced=False)
    assert limits.add_weight(HERE, 1_000_000) == 1_000_000
    limits.add_orders(7, 1_000_000)
    limits.admit(HERE)
    limits.admit_orders(7, 1)


def test_one_owner_of_ipv6_is_one_address_whatever_he_calls_from(limits: RequestLimits) -> None:
    limits.add_weight("2001:db8:0:1::7", WEIGHT.most)
    assert refusal(limits, "2001:db8:0:1:ffff::8") is not None
    assert refusal(limits, "2001:db8:0:2::7") is None
    limits.add_weight("::ffff:203.0.113.7", WEIGHT.most)
    assert refusal(limits, HERE) is not None


def test_other_parts_of_the_exchange_are_not_counted(clock: Clock) -> None:
    exempt = (ipaddress.ip_network("10.0.0.0/16"), ipaddress.ip_network("2001:db8::/64"))
    limits = RequestLimits(clock, is_enforced=True, exempt=exempt)
    for address in ("10.0.3.4", "2001:db8::7"):
        assert limits.add_weight(address, 10 * WEIGHT.most) == 0
        assert refusal(limits, address) is None
    for address in ("10.1.3.4", "", "unix:"):
        limits.add_weight(address, WEIGHT.most)
        assert refusal(limits, address) is not None


def test_what_other_processes_counted_is_added_to_what_was_not_shared_yet(clock: Clock) -> None:
    window = Window(WEIGHT, clock)
    window.add(HERE, 5)
    number, counts = window.take_unshared(10)
    assert counts == {HERE: 5}
    window.add(HERE, 2)
    window.learn(number, {HERE: 105, THERE: 9})
    assert window.used(HERE) == 107
    assert window.take_unshared(10) == (number, {HERE: 2})
    assert window.take_unshared(10) == (number, {})
    clock.ms += WEIGHT.length_ms
    window.add(HERE, 1)
    window.learn(number, {HERE: 105})
    assert window.used(HERE) == 1


def test_a_flood_of_addresses_does_not_fill_the_memory(clock: Clock) -> None:
    window = Window(WEIGHT, clock)
    for number in range(KEYS_MAX):
        window.add(str(number), 1)
    assert window.add("one more", 3) == 3
    assert window.used("one more") == 0
    assert window.add("0", 1) == 2
