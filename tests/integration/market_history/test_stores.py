"""Promises of the ports HistoryTable and RecordStream, kept alike by a folder and by AWS (over HTTP)."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.adapters.chosen.market_history import open_lake, open_market_history
from exchange.adapters.files.history import FolderStream, FolderTable
from exchange.ports.world import HistoryError, HistoryRow, HistoryTable, RecordStream
from exchange.process.config import Settings, SettingsError
from tests.integration.market_history.trading import lake_records, opened

pytestmark = pytest.mark.integration
Stores = tuple[HistoryTable, HistoryTable, RecordStream]


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    async with opened(settings) as found:
        yield found


def row(series: str, number: int, value: int, expires_at_s: int | None = None) -> HistoryRow:
    return HistoryRow(series, number, {"value": value, "text": f"t{value}"}, expires_at_s)


async def test_rows_come_back_as_they_were_written(stores: Stores) -> None:
    for table in stores[:2]:
        rows = [row("s", n, n * 10**30, n or None) for n in range(60)]
        assert list(await table.put(rows)) == []
        assert await table.read("s", 0, 100, limit=1_000) == rows
        assert await table.read("other", 0, 100, limit=1_000) == []


async def test_rows_are_read_in_order_from_either_end_within_bounds(stores: Stores) -> None:
    table = stores[1]
    rows = [row("s", n, n) for n in range(0, 1_000, 10)]
    await table.put(random.Random(1).sample(rows, len(rows)))
    assert await table.read("s", 95, 131, limit=100) == rows[10:14]
    assert await table.read("s", 0, 10_000, limit=3) == rows[:3]
    assert await table.read("s", 0, 500, limit=2, newest_first=True) == [rows[50], rows[49]]
    assert await table.read("s", 500, 400, limit=2) == []
    assert await table.read("s", 0, 500, limit=0) == []


async def test_many_pages_are_one_answer(stores: Stores) -> None:
    table = stores[0]
    rows = [HistoryRow("s", n, {"text": "x" * 10_000}) for n in range(250)]
    await table.put(rows)
    assert await table.read("s", 0, 1_000, limit=1_000) == rows


async def test_a_row_is_replaced_by_one_of_its_key(stores: Stores) -> None:
    table = stores[0]
    await table.put([row("s", 1, 1), row("s", 1, 5), row("s", 2, 2)])
    await table.put([row("s", 1, 3)])
    assert await table.read("s", 0, 9, limit=9) == [row("s", 1, 3), row("s", 2, 2)]


async def test_only_a_newer_row_replaces_one_if_asked(stores: Stores) -> None:
    table = stores[0]
    assert list(await table.put([row("s", 1, 5), row("s", 2, 5)], "value")) == []
    assert list(await table.put([row("s", 1, 4), row("s", 2, 6), row("s", 3, 1)], "value")) == []
    older = HistoryRow("s", 2, {"value": 6, "text": "as new, so left alone"})
    await table.put([older], "value")
    assert await table.read("s", 0, 9, limit=9) == [row("s", 1, 5), row("s", 2, 6), row("s", 3, 1)]


async def test_records_of_a_key_stay_in_order(stores: Stores, settings: Settings) -> None:
    for number in range(20):
        records = {key: json.dumps([key, number]).encode() + b"\n" for key in ("A", "B", f"C{number % 5}")}
        assert list(await stores[2].put(records)) == []
    lines = [json.loads(line) for record in lake_records(settings) for line in record.splitlines()]
    assert len(lines) == 60
    assert [n for key, n in lines if key == "A"] == [n for key, n in lines if key == "B"] == list(range(20))
    assert [n for key, n in lines if key == "C3"] == [3, 8, 13, 18]


async def test_rows_are_there_for_another_process(settings: Settings, stores: Stores) -> None:
    await stores[0].put([row("s", 1, 1)])
    async with open_market_history(settings) as (candles, _):
        assert await candles.read("s", 0, 9, limit=9) == [row("s", 1, 1)]
        await stores[0].put([row("s", 2, 2)])
        assert await candles.read("s", 0, 9, limit=9) == [row("s", 1, 1), row("s", 2, 2)]


async def test_a_missing_table_and_stream_are_told(aws: str) -> None:
    settings = Settings(market_history="dynamodb:none-candles,none-trades", lake="kinesis:none")
    async with open_market_history(settings) as (candles, trades), open_lake(settings) as lake:
        assert lake is not None
        with pytest.raises(HistoryError, match="ResourceNotFound"):
            await candles.read("s", 0, 9, limit=9)
        with pytest.raises(HistoryError, match="ResourceNotFound"):
            await trades.put([row("s", 1, 1)])
        with pytest.raises(HistoryError, match="ResourceNotFound"):
            await candles.put([row("s", 1, 1)], "value")
        with pytest.raises(HistoryError, match="ResourceNotFound"):
            await lake.put({"A": b"x\n"})
        with pytest.raises(HistoryError, match="bytes"):
            await lake.put({"A": b"x" * 1_000_001})


async def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    table = FolderTable(tmp_path, "t")
    await table.put([row("s", 1, 1)])
    await table.close()
    file = tmp_path / "t.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'["s",2,{"val')
    table = FolderTable(tmp_path, "t")
    assert await table.read("s", 0, 9, limit=9) == [row("s", 1, 1)]
    await table.put([row("s", 3, 3)])
    assert file.read_bytes().startswith(whole + b'["s",3,')
    await table.close()
    stream = FolderStream(tmp_path)
    (tmp_path / "K.jsonl").write_bytes(b"whole\nto")
    await stream.put({"K": b"next\n"})
    assert (tmp_path / "K.jsonl").read_bytes() == b"whole\nnext\n"
    await stream.close()


async def test_a_second_writer_of_a_folder_is_refused(tmp_path: Path) -> None:
    first, second = FolderTable(tmp_path, "t"), FolderTable(tmp_path, "t")
    await first.put([row("s", 1, 1)])
    with pytest.raises(HistoryError, match="in use"):
        await second.put([row("s", 2, 2)])
    assert await second.read("s", 0, 9, limit=9) == [row("s", 1, 1)]
    await first.close()
    (tmp_path / "t.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(HistoryError, match="damaged"):
        await FolderTable(tmp_path, "t").read("s", 0, 9, limit=9)


@pytest.mark.parametrize("place", ["", "dynamodb:one", "dynamodb:a b,ccc", "folder:", "s3://x"])
async def test_settings_that_name_no_tables_are_refused(place: str) -> None:
    with pytest.raises(SettingsError, match="market_history"):
        async with open_market_history(Settings(market_history=place)):
            pass


async def test_settings_that_name_no_stream_are_refused() -> None:
    with pytest.raises(SettingsError, match="lake"):
        async with open_lake(Settings(lake="kinesis:")):
            pass
    async with open_lake(Settings()) as lake:
        assert lake is None
