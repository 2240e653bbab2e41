"""Made-up days of markets, as Binance's public files of aggregate trades. The same seed, the same day."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

__all__ = ["record_day"]

BEGIN_MS: Final = 1_714_521_600_000
_MINUTE_MS: Final = 60_000
# In hundredths of the quote asset's unit, and the size of a trade in thousandths of the base asset's.
_BEGINS: Final = {"BTCUSDT": (6_500_000, 10), "ETHUSDT": (350_000, 200)}
_BEGINS_DEFAULT: Final = (10_000, 2_000)
_STEP_PPM: Final = 400
_PPM: Final = 1_000_000


def record_day(folder: Path, symbols: Sequence[str], minutes: int, per_minute: int, seed: int) -> list[Path]:
    """Write a file for each market, `per_minute` trades a minute at random times; returns the files."""
    files = []
    for symbol in symbols:
        rng = random.Random(f"{seed} {symbol}")
        file = folder / f"{symbol}-aggTrades-2024-05-01.csv"
        price, size = _BEGINS.get(symbol, _BEGINS_DEFAULT)
        with file.open("w", encoding="ascii") as out:
            number = 0
            for minute in range(minutes):
                for at_ms in sorted(rng.randrange(_MINUTE_MS) for _ in range(per_minute)):
                    number += 1
                    price += price * rng.randint(-_STEP_PPM, _STEP_PPM) // _PPM
                    quantity = size + rng.randrange(size)
                    text = f"{price // 100}.{price % 100:02d},{quantity // 1000}.{quantity % 1000:03d}"
                    time_ms = BEGIN_MS + minute * _MINUTE_MS + at_ms
                    out.write(f"{number},{text},{number},{number},{time_ms},{rng.randrange(2) == 1},True\n")
        files.append(file)
    return files
