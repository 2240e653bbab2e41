"""Events to alarms: each kind is raised and is over again, and what is usual raises nothing."""

import random
from collections.abc import Callable, Sequence

import pytest

from exchange.contracts import codes
from exchange.contracts.anomaly_kinds import (
    ACCOUNT_BURST,
    ANOMALY_WINDOW_MS,
    CANCEL_RATIO,
    KINDS,
    LATENCY,
    ORDER_RATE,
    PRICE_JUMP,
    kinds_that_act,
)
from exchange.contracts.codec import CommandOutcome
from exchange.contracts.events import (
    CommandRejected,
    Event,
    OrderAccepted,
    OrderClosed,
    TimeKept,
    TradeExecuted,
)
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from exchange.contracts.limits import ANOMALIES_OPEN_MAX, ANOMALY_ACCOUNTS_MAX
from exchange.log.portions import portions
from services.anomalies.bands import LEARNED_WINDOWS
from services.anomalies.watch import CANCELS_COUNTED_MIN, FLOORS, Alarm, AnomalyWatch, Change
from tests.event_streams import START_MS, EventStream

HARD = {ORDER_RATE: 5_000, CANCEL_RATIO: 3_000, PRICE_JUMP: 1_000, ACCOUNT_BURST: 1_000, LATENCY: 5_000}
BTCUSDT, ALICE, BOB = 1, 1001, 1002
START = START_MS // ANOMALY_WINDOW_MS


def placed(user_id: int = ALICE, market_id: int = BTCUSDT) -> Event:
    return OrderAccepted(1, user_id, market_id, "n", codes.BUY, codes.LIMIT, codes.GTC, 100, 1, 0, 0, 1, 1)


def closed(user_id: int = ALICE, market_id: int = BTCUSDT, reason: int = codes.CLOSED_BY_USER) -> Event:
    return OrderClosed(1, user_id, market_id, codes.BUY, 100, codes.CANCELED, reason, 1, 1, "", 0)


def traded(price_ticks: int, market_id: int = BTCUSDT) -> Event:
    return TradeExecuted(market_id, 1, codes.BUY, price_ticks, 1, 1, 1, 1, ALICE, 0, 0, 2, BOB, 0)


def refused(user_id: int, market_id: int = BTCUSDT) -> Event:
    return CommandRejected(user_id, market_id, codes.REJECT_UNKNOWN_ORDER, "", "")


class Scene:
    """Events at times of their own, and all that was said of them."""

    def __init__(self, known: Sequence[Alarm] = (), hard: dict[str, int] = HARD) -> None:
        self.watch = AnomalyWatch(hard, known)
        self.stream = EventStream()
        self.changes: list[Change] = []
        self.window = 0

    def happens(self, *events: Event, at_ms: int = 0, seen_after_ms: int | None = None) -> None:
        """One command in the window that is now."""
        time_ms = (START + self.window) * ANOMALY_WINDOW_MS + at_ms
        seen_ms = None if seen_after_ms is None else time_ms + seen_after_ms
        self.changes += self.watch.fold([self.stream.append(*events, time_ms=time_ms)], seen_ms)

    def passes(self, windows: int = 1) -> None:
        """The leader says once a window that it is at work."""
        for _ in range(windows):
            self.window += 1
            self.happens(TimeKept(1))

    def usually(self, act: Callable[[], None]) -> None:
        """So it was, long enough to be known."""
        for _ in range(LEARNED_WINDOWS + 5):
            act()
            self.passes()
        assert self.changes == []

    def raised(self) -> list[tuple[str, int]]:
        return [change.alarm.key for change in self.changes if change.cleared_ms is None]

    def over(self) -> list[tuple[str, int]]:
        return [change.alarm.key for change in self.changes if change.cleared_ms is not None]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_quiet_market_that_takes_its_first_orders_raises_nothing(scene: Scene) -> None:
    scene.usually(lambda: None)
    for name in range(FLOORS[ORDER_RATE]):
        scene.happens(placed(ALICE + name))
    scene.happens(traded(100))
    scene.happens(traded(102))
    scene.passes(10)
    assert scene.changes == []


def test_more_orders_than_usual_raise_once_and_are_over_when_they_are_usual_again(scene: Scene) -> None:
    def usual() -> None:
        for number in range(400):
            scene.happens(placed(ALICE + number))

    scene.usually(usual)
    for number in range(1_600):
        scene.happens(placed(ALICE + number), at_ms=number)
    assert scene.raised() == [(ORDER_RATE, BTCUSDT)]
    alarm = scene.changes[0].alarm
    assert (alarm.value, alarm.user_id) == (alarm.limit + 1, 0)
    assert 800 <= alarm.limit < 1_000, "twice what is usual"
    assert alarm.raised_ms == (START + scene.window) * ANOMALY_WINDOW_MS + alarm.limit
    for _ in range(3):
        scene.passes()
        usual()
    assert scene.over() == [], "two windows are no calm"
    scene.passes()
    assert (scene.raised(), scene.over()) == ([(ORDER_RATE, BTCUSDT)], [(ORDER_RATE, BTCUSDT)])
    assert scene.watch.open == []


def test_refused_orders_of_a_market_count_and_make_none_of_one_that_there_is_not(scene: Scene) -> None:
    scene.happens(placed())
    for number in range(HARD[ORDER_RATE]):
        scene.happens(refused(ALICE + number))
        scene.happens(refused(ALICE + number, 77))
    assert scene.raised() == [(ORDER_RATE, BTCUSDT)]
    assert list(scene.watch._markets) == [BTCUSDT]


def test_cancels_without_orders_raise_at_the_end_of_their_window(scene: Scene) -> None:
    def requoted() -> None:
        for number in range(300):
            scene.happens(closed(ALICE + number))
            scene.happens(placed(ALICE + number))

    scene.usually(requoted)
    for number in range(300):
        scene.happens(closed(ALICE + number))
    scene.happens(placed())
    assert scene.changes == []
    scene.passes()
    assert scene.raised() == [(CANCEL_RATIO, BTCUSDT)]
    assert scene.changes[0].alarm.value == 300_000
    scene.passes(3)
    assert scene.over() == [(CANCEL_RATIO, BTCUSDT)]


def test_few_cancels_and_orders_that_nobody_cancelled_are_no_ratio(scene: Scene) -> None:
    for number in range(CANCELS_COUNTED_MIN - 1):
        scene.happens(closed(ALICE + number))
    for number in range(1_000):
        scene.happens(closed(ALICE + number, reason=codes.CLOSED_MARKET_RETIRED))
    scene.passes(5)
    assert scene.changes == []


def test_a_price_that_walks_a_tenth_within_a_minute_raises_at_once(scene: Scene) -> None:
    for step in range(6):
        scene.happens(traded(10_000 + step * 200))
        scene.passes()
    assert scene.changes == [], "a tenth, and no more"
    scene.happens(traded(11_200), at_ms=7)
    assert scene.raised() == []
    scene.happens(traded(11_400), at_ms=8)
    scene.happens(traded(12_000), at_ms=9)
    assert scene.raised() == [(PRICE_JUMP, BTCUSDT)]
    alarm = scene.changes[0].alarm
    assert (alarm.value, alarm.limit) == (1_176, HARD[PRICE_JUMP])
    assert alarm.raised_ms % ANOMALY_WINDOW_MS == 8
    scene.passes(7)
    assert scene.over() == [], "the minute is over, the calm is not"
    scene.passes(1)
    assert scene.over() == [(PRICE_JUMP, BTCUSDT)]


def test_a_price_that_walks_as_far_in_ten_minutes_raises_nothing(scene: Scene) -> None:
    for step in range(60):
        scene.happens(traded(10_000 + step * 50))
        scene.passes()
    assert scene.changes == []


def test_a_fall_is_as_unusual_as_a_rise_and_a_discount_makes_no_difference(scene: Scene) -> None:
    for price in (10_000, 8_900):
        scene.happens(
            TradeExecutedWithDiscount(2, 1, codes.BUY, price, 1, 1, 1, 1, ALICE, 0, 0, 2, BOB, 0, 1, 1, 1)
        )
    assert scene.raised() == [(PRICE_JUMP, 2)]


def test_a_known_range_is_a_narrower_band(scene: Scene) -> None:
    def usual() -> None:
        scene.happens(traded(10_000 + scene.window % 2 * 20))

    scene.usually(usual)
    scene.happens(traded(10_299))
    assert scene.raised() == []
    scene.happens(traded(10_310))
    assert scene.raised() == [(PRICE_JUMP, BTCUSDT)], "beyond the floor of three percent"


def test_a_burst_of_one_account_raises_for_it_alone(scene: Scene) -> None:
    def usual() -> None:
        for _ in range(20):
            scene.happens(placed(ALICE))
            scene.happens(closed(BOB))

    scene.usually(usual)
    for _ in range(FLOORS[ACCOUNT_BURST] // 2 + 1):
        scene.happens(refused(ALICE))
        scene.happens(closed(ALICE), placed(ALICE))
        scene.happens(refused(0))
    assert scene.raised() == [(ACCOUNT_BURST, ALICE)]
    assert (scene.changes[0].alarm.market_id, scene.changes[0].alarm.user_id) == (0, ALICE)
    scene.passes(3)
    assert scene.over() == [], "the window of the burst was none of the calm ones"
    scene.passes()
    assert scene.over() == [(ACCOUNT_BURST, ALICE)]


def test_late_decisions_raise_for_the_exchange_by_their_average(scene: Scene) -> None:
    scene.usually(lambda: scene.happens(placed(), seen_after_ms=40))
    scene.happens(placed(), seen_after_ms=1_500)
    scene.happens(placed(), seen_after_ms=30)
    scene.passes()
    assert scene.changes == [], "one that was late is no window"
    scene.happens(placed(), seen_after_ms=1_500)
    scene.happens(placed(), seen_after_ms=2_500)
    scene.passes()
    assert scene.raised() == [(LATENCY, 0)]
    assert scene.changes[0].alarm.value == 2_000
    scene.passes(3)
    assert scene.over() == [(LATENCY, 0)]


def test_an_alarm_of_an_earlier_life_stays_open_is_not_raised_again_and_ends_like_others() -> None:
    known = Alarm(PRICE_JUMP, BTCUSDT, 0, START_MS - 5, 9, 2_000, 1_000)
    scene = Scene([known])
    scene.happens(traded(10_000))
    scene.happens(traded(20_000))
    assert scene.changes == []
    assert scene.watch.open == [known]
    scene.passes(10)
    assert scene.over() == [known.key]
    scene.happens(traded(30_000))
    scene.happens(traded(10_000))
    assert scene.raised() == [known.key], "and another jump is another alarm"


def test_state_is_bounded_and_who_is_forgotten_has_no_alarm(scene: Scene) -> None:
    for _ in range(HARD[ACCOUNT_BURST] + 1):
        scene.happens(placed(5))
    assert scene.raised() == [(ACCOUNT_BURST, 5)]
    for number in range(ANOMALY_ACCOUNTS_MAX):
        scene.happens(closed(1_000_000 + number, reason=codes.CLOSED_SELF_TRADE))
    assert len(scene.watch._accounts) == ANOMALY_ACCOUNTS_MAX
    assert scene.over() == [(ACCOUNT_BURST, 5)]


def test_no_more_alarms_are_open_than_somebody_can_look_at(scene: Scene) -> None:
    for market_id in range(1, ANOMALIES_OPEN_MAX + 50):
        scene.happens(traded(100, market_id))
        scene.happens(traded(200, market_id))
    assert len(scene.watch.open) == len(scene.raised()) == ANOMALIES_OPEN_MAX


def walk(seed: int) -> list[CommandOutcome]:
    """Two hours of usual trading in two markets: orders, cancels, a price that moves 5 bips a trade."""
    rng, stream = random.Random(seed), EventStream()
    prices, time_ms = {1: 6_500_000, 2: 350_000}, START_MS
    while time_ms < START_MS + 7_200_000:
        time_ms += rng.choice((20, 80, 400, 4_000))
        market_id, user_id = rng.choice((1, 1, 1, 2)), 1 + int(rng.paretovariate(0.6)) % 500
        events: list[Event] = []
        match rng.randrange(10):
            case 0 | 1 | 2 | 3:
                events = [placed(user_id, market_id)]
            case 4 | 5 | 6:
                events = [closed(user_id, market_id)]
            case 7:
                events = [refused(user_id, market_id)]
            case _:
                step = round(rng.gauss(0, 0.0005) * prices[market_id])
                prices[market_id] = max(1_000, prices[market_id] + step)
                events = [placed(user_id, market_id), traded(prices[market_id], market_id)]
        stream.append(*events, time_ms=time_ms)
    return stream.outcomes


def test_a_random_walk_of_usual_trading_raises_nothing() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    watch = AnomalyWatch(HARD)
    assert watch.fold(walk(seed)) == []


def test_the_same_events_in_other_portions_say_the_same() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    low, outcomes = dict.fromkeys(KINDS, 3), walk(seed)
    at_once = AnomalyWatch(low).fold(outcomes)
    again = AnomalyWatch(low)
    parts = portions(outcomes, random.Random(seed).randint(1, 50))
    cut = [change for part in parts for change in again.fold(part)]
    assert at_once == cut
    assert {change.alarm.kind for change in cut} >= {ORDER_RATE, PRICE_JUMP, ACCOUNT_BURST}


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("alert", set()),
        ("cancel_only", {PRICE_JUMP, ORDER_RATE, CANCEL_RATIO}),
        ("price_jump", {PRICE_JUMP}),
        ("price_jump, cancel_ratio", {PRICE_JUMP, CANCEL_RATIO}),
    ],
)
def test_which_kinds_act_is_one_setting(text: str, kinds: set[str]) -> None:
    assert kinds_that_act(text) == kinds


@pytest.mark.parametrize("text", ["", "halt", "latency", "account_burst", "alert,price_jump"])
def test_what_is_no_market_turns_none(text: str) -> None:
    with pytest.raises(ValueError, match="cancel_only"):
        kinds_that_act(text)
