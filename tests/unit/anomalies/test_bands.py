"""What a band learns, and what it never takes for usual or for unusual."""

from services.anomalies.bands import LEARNED_WINDOWS, Band, BandRule

RULE = BandRule(floor=500, hard=20_000)


def taught(*values: int) -> Band:
    band = Band(RULE)
    for value in values:
        band.learn(value)
    return band


def test_a_young_band_knows_the_hard_limit_alone() -> None:
    assert taught(*[10] * (LEARNED_WINDOWS - 1)).limit == RULE.hard
    assert taught(*[10] * LEARNED_WINDOWS).limit == RULE.floor


def test_little_beside_nothing_is_usual() -> None:
    assert taught(*[0] * 1_000).limit == RULE.floor


def test_what_is_even_may_double() -> None:
    band = taught(*[2_000] * 200)
    assert 3_900 < band.limit <= 4_100


def test_what_varies_may_vary_so_much_and_no_more() -> None:
    band = taught(*[1_000, 3_000] * 100)
    assert 9_000 < band.limit < 11_000, "2,000 on average, eight times 1,000 from there"


def test_nothing_lifts_the_hard_limit() -> None:
    assert taught(*[100_000] * 1_000).limit == RULE.hard


def test_what_is_unusual_teaches_no_more_than_the_limit_and_becomes_usual_if_it_lasts() -> None:
    band = taught(*[100] * 100)
    assert band.limit == RULE.floor
    band.learn(15_000)
    assert band.limit < 1_000, "one of a hundred and fifty times the usual hardly moves it"
    for _ in range(60):
        band.learn(15_000)
    assert band.limit > 15_000


def test_idle_windows_are_windows_and_there_is_an_end_to_their_work() -> None:
    busy, idle = taught(*[5_000] * 100), taught(*[5_000] * 100)
    for _ in range(20):
        busy.learn(0)
    idle.idle(20)
    assert idle.limit == busy.limit
    idle.idle(10**12)
    idle.idle(10**12)
    assert idle.limit < 5_000
