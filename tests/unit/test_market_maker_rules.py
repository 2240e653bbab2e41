"""The market maker goes on when an administrator changes a market's steps, or ends one (ADR 0045)."""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import SetTradingMode
from exchange.contracts.filter_commands import SetFilter
from local.market_maker import bot
from local.market_maker.account import ApiError
from local.market_maker.bot import MarketMaker
from local.market_maker.quoting import Step, ValueWalk
from tests.event_streams import EngineStream
from tests.unit.market_data.services import OfflineService

_REFUSED: Final = ApiError(400, -1013, "Filter failure: PRICE_FILTER", 0)


async def symbols(*changes: SetFilter | SetTradingMode) -> list[dict[str, Any]]:
    offline, stream = OfflineService(), EngineStream()
    stream.apply(*changes)
    offline.apply(stream.outcomes)
    return list((await offline.get("/api/v3/exchangeInfo")).json()["symbols"])


async def test_it_quotes_by_the_steps_that_hold_and_leaves_markets_that_have_ended() -> None:
    rows = await symbols(
        SetFilter(1, codes.FILTER_PRICE, 1, 0, 1, 10**8, 5, 0),
        SetFilter(1, codes.FILTER_LOT_SIZE, 1, 0, 1, 10**8, 100, 0),
        SetTradingMode(1, 2, codes.MODE_RETIRED),
        SetTradingMode(1, 3, codes.MODE_HALTED),
    )
    rules = {row["symbol"]: bot._rules(row) for row in rows}
    btcusdt = rules["BTCUSDT"]
    assert btcusdt is not None
    assert (btcusdt.tick_atoms, btcusdt.lot_atoms) == (5_000_000, 100_000)
    assert rules["ETHUSDT"] is None
    assert rules["ETHBTC"] is not None, "a halt ends"


class Bot(MarketMaker):
    """Its rules are read, and its first step is refused; then nothing is left to do."""

    def __init__(self, refusal: Exception) -> None:
        super().__init__("http://unused", 1, Path("unused"))
        self.refusal = refusal
        self.set_up = self.acted = 0
        self.is_done = asyncio.Event()

    async def _set_up(self) -> ValueWalk:
        self.set_up += 1
        return ValueWalk(1, {}, 1)

    async def _act(self, step: Step) -> None:
        self.acted += 1
        if self.acted == 1:
            raise self.refusal
        self.is_done.set()


@pytest.mark.parametrize(
    ("refusal", "set_ups"), [(_REFUSED, 2), (ApiError(503, -1001, "away", 0), 1), (ValueError("a fault"), 1)]
)
async def test_rules_are_read_again_when_they_refuse(
    refusal: Exception, set_ups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "_STEP_S", 0.001)
    maker = Bot(refusal)
    running = asyncio.create_task(maker.run())
    await maker.is_done.wait()
    running.cancel()
    await asyncio.wait([running])
    assert maker.set_up == set_ups
