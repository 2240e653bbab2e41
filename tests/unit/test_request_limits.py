"""Request weight by address and orders by account: who goes beyond is refused, and who goes on is banned."""

import ipaddress

import pytest

from exchange.contracts.errors import LimitError
from exchange.http import request_limits, windows
from exchange.http.addresses import OWNERS_OF_V6_NETWORK_MAX, owner_with_network
from exchange.http.request_limits import ORDERS_10S, ORDERS_DAY, RAW_REQUESTS, WEIGHT, RequestLimits
from exchange.http.windows import KEYS_MAX, Window

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
    clock.ms -= clock.ms % ORDERS_DAY.length_ms
    for count in range(1, ORDERS_10S.most + 1):
        limits.reserve_orders(7, 1)
        assert limits.order_counts(7) == (count, count)
    with pytest.raises(LimitError, match="current limit is 100 orders per 10 SECOND") as refused:
        limits.reserve_orders(7, 1)
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (429, -1015, 10)
    limits.reserve_orders(8, 1)
    for _ in range(ORDERS_DAY.most // ORDERS_10S.most - 1):
        clock.ms += 10_000
        limits.reserve_orders(7, ORDERS_10S.most)
    clock.ms += 10_000
    with pytest.raises(LimitError, match="200000 orders per 1 DAY"):
        limits.reserve_orders(7, 1)
    assert [row["count"] for row in limits.order_limits(7)] == [0, ORDERS_DAY.most]


def test_a_place_that_is_given_back_is_free_once(limits: RequestLimits, clock: Clock) -> None:
    kept, returned = limits.reserve_orders(7, 1), limits.reserve_orders(7, 99)
    for _ in range(2):
        returned.give_back()
        assert limits.order_counts(7) == (1, 1)
    clock.ms += 10_000
    assert limits.order_counts(7) == (0, 1)
    # Its ten seconds are over: they have nothing to give back, the day has.
    kept.give_back()
    assert limits.order_counts(7) == (0, 0)


def test_what_was_given_back_is_told_to_the_others(clock: Clock) -> None:
    window = Window(ORDERS_DAY, clock)
    owner = owner_with_network(HERE)
    window.add(owner, 3)
    number, told = window.take_unshared(10)
    assert told == {HERE: 3}
    window.take_back(number, owner, 1)
    assert window.take_unshared(10) == (number, {HERE: -1})
    assert window.used(owner) == 2


def test_without_enforcement_all_is_counted_and_nobody_refused(clock: Clock) -> None:
    limits = RequestLimits(clock, is_enforced=False)
    assert limits.add_weight(HERE, 1_000_000) == 1_000_000
    limits.reserve_orders(7, 1_000_000)
    limits.admit(HERE)
    limits.reserve_orders(7, 1)


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
    here = owner_with_network(HERE)
    window.add(here, 5)
    number, counts = window.take_unshared(10)
    assert counts == {HERE: 5}
    window.add(here, 2)
    window.learn(number, {HERE: 105, THERE: 9})
    assert window.used(here) == 107
    assert window.take_unshared(10) == (number, {HERE: 2})
    assert window.take_unshared(10) == (number, {})
    clock.ms += WEIGHT.length_ms
    window.add(here, 1)
    window.learn(number, {HERE: 105})
    assert window.used(here) == 1


def test_requests_that_weigh_nothing_are_bounded_too(limits: RequestLimits, clock: Clock) -> None:
    clock.ms -= clock.ms % RAW_REQUESTS.length_ms
    for _ in range(RAW_REQUESTS.most):
        limits.admit(HERE)
    error = refusal(limits, HERE)
    assert error is not None
    assert (error.status, error.code, error.retry_after_s) == (429, -1003, 300)
    assert refusal(limits, THERE) is None


def ipv6(network: int, owner: int) -> str:
    """An address of an owner (a /64) of a network (a /48)."""
    return f"2001:{network >> 16:x}:{network & 0xFFFF:x}:{owner:x}::1"


def ipv4(number: int) -> str:
    return str(ipaddress.IPv4Address(0x0A000000 + number))


def test_a_48_is_not_65536_times_one_owner(limits: RequestLimits) -> None:
    admitted = 0
    for owner in range(1_000):
        admitted += refusal(limits, ipv6(1, owner)) is None
        limits.add_weight(ipv6(1, owner), WEIGHT.most)
    assert admitted == OWNERS_OF_V6_NETWORK_MAX + 1
    # Who came first is still counted by himself, and the neighbours are not touched.
    assert refusal(limits, ipv6(1, 0)) is not None
    assert refusal(limits, ipv6(2, 0)) is None


@pytest.mark.slow
def test_a_full_table_refuses_who_goes_beyond(limits: RequestLimits) -> None:
    """Each kind of address has a table: who owns much of IPv6 takes no room from IPv4."""
    for number in range(KEYS_MAX):
        limits.add_weight(ipv6(number // OWNERS_OF_V6_NETWORK_MAX, number % OWNERS_OF_V6_NETWORK_MAX), 1)
    late = ipv6(999_999, 7)
    limits.add_weight(late, WEIGHT.most)
    assert refusal(limits, late) is not None
    assert refusal(limits, ipv6(999_999, 8)) is not None
    assert refusal(limits, ipv6(888_888, 7)) is None
    assert refusal(limits, HERE) is None
    limits.add_weight(HERE, WEIGHT.most - 1)
    assert refusal(limits, HERE) is None


@pytest.mark.slow
def test_a_full_table_keeps_its_counts(limits: RequestLimits) -> None:
    limits.add_weight(HERE, WEIGHT.most - 1)
    for number in range(2 * KEYS_MAX):
        limits.add_weight(ipv4(number), 1)
    assert limits.weight_limit(HERE)["count"] == WEIGHT.most - 1
    limits.add_weight(HERE, 1)
    assert refusal(limits, HERE) is not None


def test_a_flood_of_addresses_does_not_fill_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "NETWORKS_MAX", 50)
    window = Window(WEIGHT, clock, keys_max=100)
    for number in range(1_000):
        window.add(owner_with_network(ipv6(number, 1)), 1)
    _, counted = window.take_unshared(10_000)
    assert len(counted) == 100 + 50 + 1
    assert sum(counted.values()) == 1_000


def test_a_ban_is_not_forgotten_for_others(
    limits: RequestLimits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "BANS_MAX", 10)
    for number in range(100):
        limits.add_weight(ipv4(number), 2 * WEIGHT.most)
        error = refusal(limits, ipv4(number))
        assert error is not None
        assert error.status == 418
    clock.ms += WEIGHT.length_ms
    # There was room for ten; the network of the others is banned with them.
    for number in (0, 9, 10, 99):
        error = refusal(limits, ipv4(number))
        assert error is not None
        assert error.status == 418
    assert refusal(limits, HERE) is None
    clock.ms += 120_000
    assert refusal(limits, ipv4(99)) is None


def test_fills_lower_a_count_to_nothing_and_no_further(limits: RequestLimits, clock: Clock) -> None:
    limits.reserve_orders(1, 3)
    limits.give_back_orders(1, 5)
    assert limits.order_counts(1) == (0, 0)
    limits.reserve_orders(1, 2)
    assert limits.order_counts(1) == (2, 2), "nobody has credit"
    limits.give_back_orders(2, 5)
    assert limits.order_counts(2) == (0, 0)


def test_what_fills_have_given_back_is_told_to_the_others(limits: RequestLimits, clock: Clock) -> None:
    """Two processes may lower the same count before they hear of each other: then it is nothing, not less."""
    window = next(one for one in limits.windows if one.limit.kind == "ORDERS")
    limits.reserve_orders(1, 6)
    number, told = window.take_unshared(10)
    assert told == {"1": 6}
    limits.give_back_orders(1, 5)
    assert window.take_unshared(10) == (number, {"1": -5})
    window.learn(number, {"1": 1})
    assert limits.order_counts(1)[0] == 1
    window.learn(number, {"1": -4})
    assert limits.order_counts(1)[0] == 0
