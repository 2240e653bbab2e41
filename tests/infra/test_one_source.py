"""What stands in two places because two programs read it is held equal."""

import re
from pathlib import Path

import orjson

from exchange.contracts.events import MarketRegistered
from exchange.trading.market import Asset, Market
from exchange.trading.trades import Trade
from services.market_history.lines import trade_line
from services.migrations.rights import RIGHTS
from tests.event_streams import EngineStream

MODULES = Path(__file__).parents[2] / "infra" / "terraform" / "modules"
# What Athena makes of JSON: a text of digits is read as a decimal without losing any.
KINDS = {"string": str, "bigint": int, "boolean": bool, "decimal(38,18)": str}


def a_line() -> dict[str, object]:
    registered = [
        recorded.event for outcome in EngineStream().outcomes for recorded in outcome.events
        if isinstance(recorded.event, MarketRegistered)
    ]  # fmt: skip
    market = Market(registered[0], 1, Asset(1, "BTC", 8), Asset(3, "USDT", 8))
    trade = Trade(7, 1_700_000_000_000, 5_000_000, 1_000, 50_000, True, 9)
    line: dict[str, object] = orjson.loads(trade_line(market, trade, 11))
    return line


def test_the_table_of_the_lake_has_the_columns_of_its_lines() -> None:
    text = (MODULES / "lake" / "main.tf").read_text("utf-8")
    (listed,) = re.findall(r"(?s)columns = \[(.*?)\n  \]", text)
    columns = dict(re.findall(r'\["(\w+)", "([^"]+)"\]', listed))
    line = a_line()
    assert list(columns) == list(line)
    assert {name: type(value) for name, value in line.items()} == {
        name: KINDS[kind] for name, kind in columns.items()
    }


def test_roles_open_the_users_that_the_migrations_make_and_no_others() -> None:
    text = (MODULES / "exchange" / "permissions.tf").read_text("utf-8")
    (listed,) = re.findall(r"database_users = toset\(\[(.*?)\]\)", text)
    # The function has no service account; its user is named by its own module.
    assert {*re.findall(r'"([\w-]+)"', listed), "statements"} == set(RIGHTS)
    reads = (MODULES / "reads" / "main.tf").read_text("utf-8")
    assert "postgresql://exchange_statements@" in reads


def test_production_refuses_a_size_that_the_region_does_not_have() -> None:
    region = (MODULES / "exchange" / "variables.tf").read_text("utf-8")
    (known,) = re.findall(r'(?s)variable "size" \{.*?object\(\{\n(.*?)\n  \}\)', region)
    production = (MODULES.parent / "environments" / "production" / "variables.tf").read_text("utf-8")
    (listed,) = re.findall(r"(?s)setsubtract\(keys\(var\.size\), \[(.*?)\]", production)
    assert set(re.findall(r'"(\w+)"', listed)) == set(re.findall(r"(?m)^    (\w+) +=", known))


def test_terraform_names_functions_that_exist() -> None:
    text = (MODULES / "reads" / "main.tf").read_text("utf-8")
    handlers = re.findall(r'handler\s+= "(services\.[\w.]+)"', text)
    assert len(handlers) == 2
    for handler in handlers:
        module, _, function = handler.rpartition(".")
        path = Path(__file__).parents[2] / (module.replace(".", "/") + ".py")
        assert f"\ndef {function}(event" in path.read_text("utf-8")
