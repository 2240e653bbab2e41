"""Promises about files of markets: what they add, what they cannot change, and what is said at a start."""

from pathlib import Path

import pytest

from exchange.contracts.commands import RegisterAsset, RegisterMarket
from exchange.trading.markets_file import MarketsFileError, commands_of, parse_markets
from matching_engine.core.engine import Engine
from matching_engine.genesis import genesis_commands, unregistered

FILE = Path(__file__).parents[3] / "matching_engine" / "markets.toml"
TEXT = FILE.read_text(encoding="utf-8")
SOL = """
[[assets]]
code = "SOL"
decimals = 8
"""


def with_sol() -> str:
    head, first = TEXT.split("[[markets]]", 1)
    one = first.split("[[markets]]", 1)[0].replace('base = "BTC"', 'base = "SOL"')
    return head + SOL + "[[markets]]" + first + "\n[[markets]]" + one


def young_engine() -> Engine:
    engine = Engine()
    for command in genesis_commands():
        engine.apply(command, 1)
    return engine


def test_the_projects_own_file_is_what_a_new_exchange_begins_with() -> None:
    commands = genesis_commands()
    assert [c.code for c in commands if isinstance(c, RegisterAsset)] == ["BTC", "ETH", "USDT"]
    markets = [c for c in commands if isinstance(c, RegisterMarket)]
    assert [(c.market_id, c.symbol) for c in markets] == [(1, "BTCUSDT"), (2, "ETHUSDT"), (3, "ETHBTC")]
    assert unregistered(young_engine()) == ""


def test_an_edited_file_is_told_of_in_one_sentence_with_the_command_that_applies_it(tmp_path: Path) -> None:
    edited = tmp_path / "markets.toml"
    edited.write_text(with_sol().replace('min_notional = "5"', 'min_notional = "10"', 1))
    said = unregistered(young_engine(), edited)
    assert "\n" not in said
    assert "names SOLUSDT, which is not registered yet" in said
    assert "gives BTCUSDT another notional_atoms_min" in said
    assert "python -m services.operator markets add markets.toml" in said


def test_a_file_that_is_none_is_told_of_too(tmp_path: Path) -> None:
    broken = tmp_path / "markets.toml"
    broken.write_text("[[markets]]\nbase = 7")
    assert "cannot be read" in unregistered(young_engine(), broken)
    assert "cannot be read" in unregistered(young_engine(), tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["x", "[[assets]]\ncode = 1", "assets = 3", "[[markets]]\nbase = 'BTC'"])
def test_what_is_no_file_of_markets_is_refused(text: str) -> None:
    with pytest.raises(MarketsFileError):
        commands_of(parse_markets(text))
