"""What `python -m services.rebuild.main` makes of its arguments, before it touches anything."""

import pytest
import typer
from typer.testing import CliRunner

from services.rebuild.main import main

command = typer.Typer()
command.command()(main)


@pytest.mark.parametrize(
    ("lease", "arguments", "said"),
    [
        ("", [], "EXCHANGE_LEASE is needed"),
        ("file:lease", ["--source", "snapshot"], "--source snapshot: log or archive"),
        ("file:lease", ["--discard", "exchange.commands.0"], "<topic>=<records>"),
        ("file:lease", ["--discard", "exchange.commands.0=all"], "<topic>=<records>"),
    ],
)
def test_arguments_that_are_none_end_it_with_code_two(
    lease: str, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_LEASE", lease)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert said in result.output
