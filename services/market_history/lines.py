"""Trades as JSON lines for analysis, put together to records of a stream. Pure.

Firehose writes records one behind the other, so a record is whole lines. Only what the public may see is in
them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson

from exchange.trading.market import Market
from exchange.trading.trades import Trade

__all__ = ["RECORD_SIZE_BYTES_MAX", "rounds", "trade_line"]

# Well below the stream's own megabyte, well above the 25 kB that a record is charged as.
RECORD_SIZE_BYTES_MAX: Final = 250_000


def trade_line(market: Market, trade: Trade, seq: int) -> bytes:
    """One line. `seq` is the event's: ascending, and the same whenever the line is written again."""
    return orjson.dumps(
        {
            "type": "trade",
            "seq": seq,
            "symbol": market.symbol,
            "trade_id": trade.id,
            "time_ms": trade.time_ms,
            "price": market.price(trade.price_ticks),
            "quantity": market.quantity(trade.quantity_lots),
            "quote_quantity": market.quote_amount(trade.quote_atoms),
            "buyer_is_maker": trade.buyer_is_maker,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def rounds(lines: Mapping[str, Sequence[bytes]]) -> Iterator[dict[str, bytes]]:
    """All lines in order, as rounds of one record for each key at most."""
    waiting = {key: _records(of_key) for key, of_key in lines.items()}
    while waiting:
        taken = {key: next(records, None) for key, records in waiting.items()}
        found = {key: record for key, record in taken.items() if record is not None}
        waiting = {key: waiting[key] for key in found}
        if found:
            yield found


def _records(lines: Iterable[bytes]) -> Iterator[bytes]:
    record = bytearray()
    for line in lines:
        if record and len(record) + len(line) > RECORD_SIZE_BYTES_MAX:
            yield bytes(record)
            record.clear()
        record += line
    if record:
        yield bytes(record)
