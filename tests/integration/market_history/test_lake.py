"""The lake: whole lines, bounded records, and what Firehose makes of them in S3."""

import gzip
import json
import uuid

import boto3
import pytest

from exchange.money import parse_fixed
from exchange.process.config import Settings
from services.market_history.lines import RECORD_SIZE_BYTES_MAX, rounds
from tests.integration.market_history.trading import Tape, follow, lake_lines, lake_records


def test_rounds_keep_the_order_of_each_key_and_hold_one_record_of_it() -> None:
    lines = {
        "A": [b"%d %s\n" % (n, b"a" * 90_000) for n in range(7)],
        "B": [b"one\n"],
        "C": [b"%d\n" % n for n in range(1_000)],
        "D": [],
    }
    found = list(rounds(lines))
    assert [sorted(records) for records in found] == [["A", "B", "C"], ["A"], ["A"], ["A"]]
    for key, wanted in lines.items():
        assert b"".join(records.get(key, b"") for records in found) == b"".join(wanted)
    assert all(len(record) <= RECORD_SIZE_BYTES_MAX for records in found for record in records.values())


@pytest.mark.integration
async def test_lines_say_what_was_traded_and_not_by_whom(settings: Settings) -> None:
    tape = Tape(seed=20)
    await tape.grow(50)
    await follow(settings, tape.log, tape.seq)
    records = lake_records(settings)
    assert all(record.endswith(b"\n") for record in records)
    for symbol, lines in lake_lines(records).items():
        assert [line["seq"] for line in lines] == sorted({line["seq"] for line in lines})
        for line, trade in zip(lines, tape.trades[symbol], strict=True):
            assert set(line) == {
                "type", "seq", "symbol", "trade_id", "time_ms", "price", "quantity", "quote_quantity",
                "buyer_is_maker",
            }  # fmt: skip
            assert (line["type"], line["trade_id"], line["time_ms"]) == ("trade", trade.id, trade.time_ms)
            assert line["buyer_is_maker"] is trade.buyer_is_maker
            assert parse_fixed(line["quote_quantity"], 8) == trade.quote_atoms


@pytest.mark.integration
async def test_firehose_lands_json_lines_in_s3(
    dynamodb_tables: dict[str, str], kinesis_stream: str, s3_bucket: str
) -> None:
    """The emulator's Firehose does not read streams by itself: here somebody carries the records over."""
    settings = Settings(
        market_history=f"dynamodb:{dynamodb_tables['candles']},{dynamodb_tables['trades']}",
        lake=f"kinesis:{kinesis_stream}",
        market_history_age_ms=20,
        market_history_deadline_ms=120_000,
    )
    tape = Tape(seed=21)
    for _ in range(3):
        await tape.grow(60)
        await follow(settings, tape.log, tape.seq)
    firehose, s3 = boto3.client("firehose"), boto3.client("s3")
    name = f"test-{uuid.uuid4().hex[:8]}"
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/firehose",
            "BucketARN": f"arn:aws:s3:::{s3_bucket}",
            "Prefix": "market-data/",
            "CompressionFormat": "GZIP",
        },
    )
    for record in lake_records(settings):
        firehose.put_record_batch(DeliveryStreamName=name, Records=[{"Data": record}])
    listed = s3.list_objects_v2(Bucket=s3_bucket, Prefix="market-data/")["Contents"]
    landed = [s3.get_object(Bucket=s3_bucket, Key=entry["Key"])["Body"].read() for entry in listed]
    lines = [json.loads(line) for body in landed for line in plain(body).splitlines()]
    for symbol, trades in tape.trades.items():
        found = sorted((line for line in lines if line["symbol"] == symbol), key=lambda line: line["seq"])
        assert [line["trade_id"] for line in found] == [trade.id for trade in trades]
    firehose.delete_delivery_stream(DeliveryStreamName=name)
    firehose.close()
    s3.close()


def plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
