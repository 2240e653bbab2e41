"""Binance's public files are read as they are, merged by time; what is none of them is told by its line."""

import zipfile
from pathlib import Path

import pytest

from loadtest.replay.recording import record_day
from local.replay.files import check_beginnings, merged, symbols
from local.replay.prints import FileError, Print, prints_of

TRADES = ["7,65000.10000000,0.01000000,650.00,1714521600123,True,True"]
MICROSECONDS = ["7,65000.10000000,0.01000000,650.00,1735689600123456,False,True"]
AGGREGATES = [
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker,best",
    "1,3500.00,2.0,1,3,1714521600000,false,true",
]
CANDLE = "1714521600000,100.0,110.0,90.0,105.0,1.0003,1714521659999,100.0,9,0.5,50.0,0"


def test_each_kind_of_file_is_read_by_its_columns() -> None:
    assert list(prints_of("BTCUSDT-trades-2024-05-01", TRADES, 1)) == [
        Print(1_714_521_600_123, "BTCUSDT", "65000.10000000", "0.01000000", True)
    ]
    assert next(prints_of("BTCUSDT-trades-2025-01-01", MICROSECONDS, 1)).time_ms == 1_735_689_600_123
    assert list(prints_of("ETHUSDT-aggTrades-2024-05", AGGREGATES, 1)) == [
        Print(1_714_521_600_000, "ETHUSDT", "3500.00", "2.0", False)
    ]


def test_a_candle_is_four_prints_of_its_volume_within_its_time() -> None:
    found = list(prints_of("BTCUSDT-1m-2024-05-01", [CANDLE], 1))
    assert [one.price for one in found] in (
        ["100.0", "110.0", "90.0", "105.0"],
        ["100.0", "90.0", "110.0", "105.0"],
    )
    assert [one.quantity for one in found] == ["0.2500", "0.2500", "0.2500", "0.2503"]
    assert [one.time_ms - 1_714_521_600_000 for one in found] == [0, 19_999, 39_999, 59_999]
    assert found == list(prints_of("BTCUSDT-1m-2024-05-01", [CANDLE], 1)), "the same seed, the same way"
    ways = {tuple(prints_of("BTCUSDT-1m-2024-05-01", [CANDLE], seed)) for seed in range(20)}
    assert len(ways) > 1
    empty = CANDLE.replace("1.0003", "0.0000")
    assert list(prints_of("BTCUSDT-1m-2024-05-01", [empty], 1)) == []


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("BTCUSDT-book-2024", TRADES, "not named"),
        ("BTCUSDT-trades-2024-05-01", [*TRADES, "8,1,1"], "line 2: 3 columns; a file of trades has 7"),
        (
            "BTCUSDT-trades-2024-05-01",
            [*TRADES, TRADES[0].replace("0123", "0122")],
            "line 2: its time is before",
        ),
        ("BTCUSDT-trades-2024-05-01", [TRADES[0].replace("True,", "Maybe,")], "line 1: 'Maybe'"),
        (
            "BTCUSDT-trades-2024-05-01",
            [TRADES[0].replace("1714521600123", "noon")],
            "line 1: 'noon' is no time in milliseconds",
        ),
        ("BTCUSDT-1m-2024-05-01", TRADES, "7 columns, not 12"),
        *(
            (f"BTCUSDT-{kind}-2024-05-01", ["<html>"], "line 1: 1 columns")
            for kind in ("trades", "aggTrades", "1m")
        ),
    ],
)
def test_what_is_no_such_file_is_told_by_its_line(name: str, lines: list[str], said: str) -> None:
    with pytest.raises(FileError, match=said):
        list(prints_of(name, lines, 1))


def test_many_files_are_merged_by_time_zipped_or_not(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "BTCUSDT-trades-2024-05-01.csv", tmp_path / "ETHUSDT-aggTrades-2024-05-01.zip"
    plain.write_text("\n".join(TRADES) + "\n", "utf-8")
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("ETHUSDT-aggTrades-2024-05-01.csv", "\n".join(AGGREGATES) + "\n")
    assert symbols([plain, zipped]) == {"BTCUSDT", "ETHUSDT"}
    assert [one.symbol for one in merged([plain, zipped], 1)] == ["ETHUSDT", "BTCUSDT"]
    check_beginnings([plain, zipped])
    zipped.write_bytes(b"nonsense")
    for read in (lambda files: list(merged(files, 1)), check_beginnings):
        with pytest.raises(FileError, match="not a zip"):
            read([plain, zipped])
    plain.write_text("1,abc,0.01,1\n", "utf-8")
    with pytest.raises(FileError, match="line 1: 4 columns"):
        check_beginnings([plain])
    with pytest.raises(FileError, match="there is no such file"):
        symbols([tmp_path / "BTCUSDT-trades-2024-05-02.csv"])
    with pytest.raises(FileError, match="no file of the kind"):
        symbols([tmp_path])


def test_files_with_nothing_in_them_are_told_of_before_anything_is_started(tmp_path: Path) -> None:
    empty, full = tmp_path / "BTCUSDT-trades-2024-05-01.csv", tmp_path / "BTCUSDT-trades-2024-05-02.csv"
    empty.write_text("", "utf-8")
    full.write_text(TRADES[0], "utf-8")
    check_beginnings([empty, full])
    with pytest.raises(FileError, match=f"nothing is recorded in {empty}"):
        check_beginnings([empty])


def test_a_made_up_day_is_a_file_that_can_be_replayed_and_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        files = record_day(folder, ["BTCUSDT", "A001USDT"], minutes=30, per_minute=3, seed=7)
        found = list(merged(files, 1))
        assert len(found) == 2 * 30 * 3
        assert [one.time_ms for one in found] == sorted(one.time_ms for one in found)
    names = [path.name for path in first.iterdir()]
    assert [(first / n).read_bytes() for n in names] == [(second / n).read_bytes() for n in names]
