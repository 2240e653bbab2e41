"""Balances of days gone by, reckoned back: what is exact, and where it has to end."""

import random

import pytest

from exchange.contracts.errors import ApiError
from exchange.trading.intervals import DAY_MS
from services.order.wallet.days import DAYS_MAX, Balance, ends_of_days
from services.order.wallet.snapshots import chosen_days

TODAY, BTC, USDT = 20_000, 1, 3
AVAILABLE, HELD, OLDEST = 1, 2, 0
MANY = 1_000


def test_each_day_is_what_there_is_less_what_came_since() -> None:
    rows = [
        (BTC, AVAILABLE, None, 5), (BTC, HELD, None, 2), (USDT, AVAILABLE, None, 70), (USDT, HELD, None, 0),
        (BTC, OLDEST, TODAY - 4, 5), (USDT, OLDEST, TODAY - 2, 2),
        (BTC, AVAILABLE, TODAY, -2), (BTC, HELD, TODAY, 2), (BTC, AVAILABLE, TODAY - 4, 7),
        (USDT, AVAILABLE, TODAY - 2, 100), (USDT, AVAILABLE, TODAY - 1, -30),
    ]  # fmt: skip
    assert ends_of_days(rows, TODAY - 7, TODAY, MANY) == {
        TODAY - 4: {BTC: Balance(7, 0)},
        TODAY - 3: {BTC: Balance(7, 0)},
        TODAY - 2: {BTC: Balance(7, 0), USDT: Balance(100, 0)},
        TODAY - 1: {BTC: Balance(7, 0), USDT: Balance(70, 0)},
    }
    assert list(ends_of_days(rows, TODAY - 2, TODAY, MANY)) == [TODAY - 2, TODAY - 1]
    # Yesterday is asked for no more: what came today and yesterday is taken back all the same.
    assert ends_of_days(rows, TODAY - 7, TODAY - 1, MANY)[TODAY - 2][USDT] == Balance(100, 0)


def test_days_that_would_need_older_entries_are_not_told() -> None:
    rows = [
        (BTC, AVAILABLE, None, 10), (BTC, OLDEST, TODAY - 2, MANY), (BTC, AVAILABLE, TODAY - 1, 1),
        (BTC, AVAILABLE, TODAY - 2, 1), (USDT, AVAILABLE, None, 4), (USDT, OLDEST, TODAY - 9, 1),
    ]  # fmt: skip
    # Of the oldest day entries are missing, but those behind its end are all there.
    assert ends_of_days(rows, TODAY - 7, TODAY, MANY) == {
        TODAY - 2: {BTC: Balance(9, 0), USDT: Balance(4, 0)},
        TODAY - 1: {BTC: Balance(10, 0), USDT: Balance(4, 0)},
    }


def test_an_account_without_entries_has_no_days() -> None:
    assert ends_of_days([], TODAY - 7, TODAY, MANY) == {}


@pytest.mark.parametrize("seed", range(20))
def test_reckoned_back_is_what_was_reckoned_forward(seed: int) -> None:
    chance = random.Random(seed)
    truth: dict[int, dict[int, Balance]] = {}
    atoms = {(asset, what): 0 for asset in (BTC, USDT) for what in (AVAILABLE, HELD)}
    moved: dict[tuple[int, int, int], int] = {}
    for day in range(TODAY - 12, TODAY + 1):
        for key in atoms:
            if chance.random() < 0.5:
                amount = chance.randrange(1, 50)
                atoms[key] += amount
                moved[(*key, day)] = amount
        every = {asset: Balance(atoms[asset, AVAILABLE], atoms[asset, HELD]) for asset in (BTC, USDT)}
        truth[day] = {asset: balance for asset, balance in every.items() if any(balance)}
    rows: list[tuple[int, int, int | None, int]]
    rows = [(asset, what, None, much) for (asset, what), much in atoms.items()]
    rows += [(asset, what, day, much) for (asset, what, day), much in moved.items() if day >= TODAY - 9]
    began = {asset: min((key[2] for key in moved if key[0] == asset), default=TODAY) for asset in (BTC, USDT)}
    rows += [(asset, OLDEST, day, 3) for asset, day in began.items()]
    first = max(TODAY - 9, min(began.values()))
    assert ends_of_days(rows, TODAY - 9, TODAY, MANY) == {
        day: balances for day, balances in truth.items() if first <= day < TODAY
    }, f"seed {seed}"


NOW_MS = TODAY * DAY_MS + 5


@pytest.mark.parametrize(
    ("parameters", "days"),
    [
        ({}, (TODAY - 7, TODAY)),
        ({"limit": "30"}, (TODAY - 30, TODAY)),
        ({"endTime": str(TODAY * DAY_MS - 1_000)}, (TODAY - 7, TODAY)),
        ({"endTime": str(TODAY * DAY_MS - 1_001)}, (TODAY - 8, TODAY - 1)),
        ({"startTime": str(TODAY * DAY_MS - 1_000)}, (TODAY - 1, TODAY)),
        ({"startTime": str((TODAY - 1) * DAY_MS - 999)}, (TODAY - 1, TODAY)),
        ({"startTime": "0", "endTime": str(DAY_MS)}, None),
        ({"startTime": str(NOW_MS)}, None),
    ],
)
def test_which_days_are_asked_for(parameters: dict[str, str], days: tuple[int, int] | None) -> None:
    found = chosen_days(parameters, NOW_MS)
    assert (None if not found else (found.start, found.stop)) == days


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"limit": "6"}, -1130),
        ({"limit": "31"}, -1130),
        ({"startTime": "2", "endTime": "1"}, -1128),
        ({"startTime": "0", "endTime": str(DAYS_MAX * DAY_MS + 1)}, -1127),
    ],
)
def test_days_that_cannot_be_asked_for(parameters: dict[str, str], code: int) -> None:
    with pytest.raises(ApiError) as refused:
        chosen_days(parameters, NOW_MS)
    assert refused.value.code == code
