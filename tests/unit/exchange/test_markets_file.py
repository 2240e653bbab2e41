"""Promises about files of markets: what they add, what they cannot change, and what is said at a start."""

from pathlib import Path

import pytest

from exchange.contracts import codes
from exchange.contracts.commands import ActivateRules, RegisterAsset, RegisterMarket
from exchange.contracts.events import CommandRejected
from exchange.contracts.filter_commands import SetFilter
from exchange.trading.markets_file import MarketsFileError, commands_of, parse_markets, portions
from matching_engine.core.engine import Engine
from matching_engine.core.rules_version import RULES_VERSION_MAX
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[[markets]]", "[[market]]"), "market is none of assets, markets"),
        (("code = ", "name = "), "no file of markets: code is missing"),
        (('tick_size = "0.01"', 'tick_size = 0.01'), 'BTCUSDT: tick_size = 0.01: numbers stand in quotes'),
        (('tick_size = "0.01"', 'tick_size = "abc"'), 'BTCUSDT: tick_size = "abc" is no number'),
        (('tick_size = "0.01"', 'tick_size = "0"'), "BTCUSDT: tick_size and step_size must be above 0"),
        (('tick_size = "0.01"', 'tick = "0.01"'), "BTCUSDT: tick is none of "),
        (('taker_fee = "0.001"', ""), "BTCUSDT: taker_fee is missing"),
        (('base = "BTC"', 'base = "DOGE"'), "DOGEUSDT: there is no asset DOGE"),
    ],
)  # fmt: skip
def test_a_slip_in_the_file_is_told_in_words_that_name_it(change: tuple[str, str], said: str) -> None:
    with pytest.raises(MarketsFileError) as refused:
        commands_of(parse_markets(TEXT.replace(*change)))
    assert str(refused.value).startswith(said)


def test_a_file_with_nothing_in_it_is_no_exchange() -> None:
    with pytest.raises(MarketsFileError, match="neither"):
        parse_markets("# what was I about to do?")
    with pytest.raises(MarketsFileError, match="no TOML: Invalid value"):
        parse_markets("a = ")


FILTERED = """
[markets.filters]
PRICE_FILTER = {tickSize = "0.05"}
MAX_POSITION = {maxPosition = "100"}
MIN_NOTIONAL = {minNotional = "7", applyToMarket = "true"}
"""


def test_a_market_begins_with_the_filters_of_its_table() -> None:
    head, first, rest = TEXT.split("[[markets]]", 2)
    text = f"{head}[[markets]]{first}{FILTERED}\n[[markets]]{rest}"
    commands = commands_of(parse_markets(text))
    at = next(n for n, one in enumerate(commands) if isinstance(one, RegisterMarket))
    filters = commands[at + 1 : at + 4]
    assert all(isinstance(one, SetFilter) for one in filters)
    engine = Engine()
    for command in [ActivateRules(0, RULES_VERSION_MAX), *commands]:
        (event,) = engine.apply(command, 1)
        assert not isinstance(event, CommandRejected)
    market = engine.markets[1].filters
    assert (market.price_step_ticks, market.min_notional_to_market) == (5, True)
    assert (market.position_atoms_max, market.min_notional_atoms) == (100 * 10**8, 7 * 10**8)
    # The range of the price is the market's own.
    assert engine.markets[1].rules.price_ticks_max == 10**8
    # In several portions as in one.
    many = text + "".join("\n[[markets]]" + rest.split("[[markets]]")[0] for _ in range(60))
    assert parse_markets(portions(many)[0]).markets[0]["filters"] == parse_markets(text).markets[0]["filters"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('TICKS = {tickSize = "1"}', "TICKS is none of PRICE_FILTER"),
        ('EXCHANGE_MAX_NUM_ORDERS = {maxNumOrders = "1"}', "EXCHANGE_MAX_NUM_ORDERS is no market's"),
        ('PRICE_FILTER = {tick = "1"}', "tick: PRICE_FILTER has minPrice, maxPrice, tickSize"),
        ('PRICE_FILTER = {tickSize = "0.001"}', "0.001 is finer than the 0.01000000 of the market"),
        ('PRICE_FILTER = {tickSize = "x"}', "tickSize: x is no number that fits"),
        ('ICEBERG_PARTS = {limit = "-1"}', "limit: -1 is no whole number"),
        ('MIN_NOTIONAL = {applyToMarket = "1"}', "applyToMarket: 1 is neither true nor false"),
        ("PRICE_FILTER = 7", "BTCUSDT: "),
    ],
)
def test_a_table_of_filters_that_is_none_is_refused_in_plain_words(table: str, said: str) -> None:
    head, first, rest = TEXT.split("[[markets]]", 2)
    text = f"{head}[[markets]]{first}\n[markets.filters]\n{table}\n\n[[markets]]{rest}"
    with pytest.raises(MarketsFileError, match=r"^BTCUSDT: ") as refused:
        commands_of(parse_markets(text))
    assert said in str(refused.value)


def test_what_an_administrator_changed_is_no_difference_of_the_file() -> None:
    engine = young_engine()
    engine.apply(SetFilter(1, codes.FILTER_PRICE, 1, 0, 5, 10**6, 5, 0), 1)
    engine.apply(SetFilter(1, codes.FILTER_MAX_ASSET, 0, 1, 5, 0, 0, 0), 1)
    assert engine.markets[1].rules.price_ticks_min == 5
    assert unregistered(engine) == ""
