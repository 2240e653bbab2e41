"""The wait until an exchange is ready: it says what is waited for, and gives up with words."""

from pathlib import Path

import pytest

from local import __main__ as console
from local.market_maker.bot import MarketMaker
from local.markets import check_markets
from local.servers import ServerError
from local.waiting import until_ready

STARTING = {"ledger": "starting", "engine": None}


async def test_what_is_waited_for_is_said_now_and_then() -> None:
    said: list[str] = []
    await until_ready(lambda: {} if len(said) > 1 else STARTING, said.append, word_every_s=0.0)
    assert said == ["waiting for ledger: starting ..."] * 2


async def test_a_wait_in_vain_ends_with_what_is_missing() -> None:
    with pytest.raises(ServerError, match="ledger: starting") as ended:
        await until_ready(lambda: STARTING, print, deadline_s=0.0)
    assert "engine" not in str(ended.value)


async def test_a_market_maker_that_was_never_started_stops(tmp_path: Path) -> None:
    await MarketMaker("http://127.0.0.1:1", 7, tmp_path / "store.json").stop()


async def test_an_error_without_words_is_no_sentence_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A deadline that was missed is an OSError, too: it once ended a start with "cannot go on: "."""

    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(ExceptionGroup):
        await console._explained(fail(ExceptionGroup("parts", [TimeoutError()])), tmp_path)
    with pytest.raises(SystemExit):
        await console._explained(fail(ExceptionGroup("parts", [ServerError("not ready")])), tmp_path)
    assert capsys.readouterr().err == "cannot go on: not ready\n"


def test_a_file_of_markets_is_looked_at_before_anything_is_started_for_it(tmp_path: Path) -> None:
    log, wrong = tmp_path / "commands.log", tmp_path / "markets.toml"
    wrong.write_text("a = 1", "utf-8")
    with pytest.raises(ServerError, match=f"MARKETS={wrong}: a is none of"):
        check_markets(log, wrong)
    check_markets(log, None, {"BTCUSDT"})
    with pytest.raises(ServerError, match=r"there is no market DOGEUSDT: .*--markets"):
        check_markets(log, None, {"DOGEUSDT", "BTCUSDT"})
    log.mkdir()
    check_markets(log, wrong)
