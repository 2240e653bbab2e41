"""The memory of keys inside a process: bounded in size and in time."""

from exchange.security.recent_keys import ApiKey, RecentKeys


def key(name: str) -> ApiKey:
    return ApiKey(name, 1, "HMAC", b"s", None, frozenset(), ())


def test_an_entry_is_forgotten_after_its_time() -> None:
    recent = RecentKeys(2, 5.0)
    recent.put(b"a", key("a"), 100.0)
    found = recent.get(b"a", 104.9)
    assert found is not None
    assert found.key == key("a")
    assert recent.get(b"a", 105.0) is None
    assert recent.get(b"a", 100.0) is None


def test_the_least_recently_used_entry_makes_room() -> None:
    recent = RecentKeys(2, 5.0)
    for name in (b"a", b"b"):
        recent.put(name, None, 0.0)
    assert recent.get(b"a", 1.0) is not None
    recent.put(b"c", None, 1.0)
    assert recent.get(b"b", 1.0) is None
    assert recent.get(b"a", 1.0) is not None
    assert recent.get(b"c", 1.0) is not None
