"""Where a webhook may lead: public addresses, whatever form they come in, and nothing inside."""

import ipaddress

import pytest

from exchange.security.webhook_targets import Target, TargetRefusedError, may_connect, target_of

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "169.254.170.23",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "2002:0a00:0001::",
    "64:ff9b::a9fe:a9fe",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_public(address: str) -> None:
    assert not may_connect(address, loopback=False)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_taken(address: str) -> None:
    assert may_connect(address, loopback=False)


def test_this_machine_is_taken_where_the_setting_says_so_and_nothing_else_inside() -> None:
    taken = [address for address in INSIDE if may_connect(address, loopback=True)]
    assert taken == ["127.0.0.1", "::1", "::ffff:127.0.0.1"]
    assert all(ipaddress.ip_address(address) for address in taken)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "only https"),
        ("ftp://example.com/", "only https"),
        ("https://", "no URL"),
        ("https://[::1", "no URL"),
        ("https://a:b@example.com/", "neither a user"),
        ("https://example.com/#x", "neither a user"),
        ("https://example.com:6379/", "only the ports"),
        ("https://10.0.0.1/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://169.254.169.254/latest/", "not public"),
        ("http://127.0.0.1/", "only https"),
        ("https://example.com/" + "x" * 500, "at most"),
        ("https://example.com/\n", "printable"),
        ("https://ex\u00e4mple.com/", "ASCII"),
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_in_words(url: str, why: str) -> None:
    with pytest.raises(TargetRefusedError, match=why):
        target_of(url, loopback=False)


def test_a_url_is_taken_apart() -> None:
    assert target_of("https://bot.example.com/x?y=1", loopback=False) == Target("bot.example.com", 443, True)
    assert target_of("https://1.1.1.1:8443", loopback=False) == Target("1.1.1.1", 8443, True)
    assert target_of("http://127.0.0.1:9000/x", loopback=True) == Target("127.0.0.1", 9000, False)
    with pytest.raises(TargetRefusedError, match="only https"):
        target_of("http://10.0.0.1:9000/x", loopback=True)
