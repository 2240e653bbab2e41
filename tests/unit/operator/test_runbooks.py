"""Each command that a runbook or the operator's page names exists, and takes what it is given there."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from services.operator import main
from services.operator.markets import commands
from services.operator.orders import MODES, Order, SetMode, Signed, decode_signed, encode

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs" / "runbooks").glob("*.md")), ROOT / "docs" / "operator.md"]
CALL = re.compile(r"python -m ([a-z_.]+)((?: +(?:\"[^\"]*\"|[^\s`|#]+))*)")
MAKE = re.compile(r"`make ([a-z-]+)")
OPERATOR = "services.operator"
STANDS_FOR = {
    "OFFSET": "7", "INDEX": "0", "SYMBOL": "BTCUSDT", "EMAIL": "a@example.com", "ACCOUNT": "1001",
    "VERSION": "1", "ID": "1", "NAME": "somebody", "FILE": "matching_engine/markets.toml",
}  # fmt: skip


def calls() -> Iterator[tuple[str, str, str]]:
    """(page, module, arguments) of every call in a page, in blocks and in lines."""
    for page in PAGES:
        for module, arguments in CALL.findall(page.read_text(encoding="utf-8")):
            yield page.stem, module.rstrip("."), arguments.strip()


CALLS = list(calls())
ORDERED = [(page, arguments) for page, module, arguments in CALLS if module == OPERATOR and arguments]


def test_there_is_something_to_check() -> None:
    assert len(ORDERED) >= 10
    assert {page for page, _ in ORDERED} >= {"EngineHalted", "AuditorRed", "CommandsShed", "operator"}


@pytest.mark.parametrize(("page", "module"), sorted({(page, module) for page, module, _ in CALLS}))
def test_every_module_that_is_called_can_be(page: str, module: str) -> None:
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"{page} calls {module}"
    place = Path(str(spec.origin))
    runs = place.parent / "__main__.py" if place.name == "__init__.py" else place
    assert "__main__" in runs.read_text(encoding="utf-8")


@pytest.fixture
def ordered(monkeypatch: pytest.MonkeyPatch) -> list[Signed]:
    """What the command line would order, instead of ordering it."""
    taken: list[Signed] = []

    def take(order: Order, who: str, reason: str) -> None:
        taken.append(decode_signed(encode(Signed(order, who, reason))))

    for module in (main, commands):
        monkeypatch.setattr(module, "order_now", take)
    return taken


def run(arguments: list[str]) -> tuple[int, str]:
    result = CliRunner().invoke(main.cli, arguments)
    return result.exit_code, result.output


@pytest.mark.parametrize(("page", "arguments"), ORDERED)
def test_every_order_in_a_page_is_one_that_can_be_given(
    page: str, arguments: str, ordered: list[Signed], tmp_path: Path
) -> None:
    if arguments == "--help":
        assert run(["--help"])[0] == 0
        return
    words = [STANDS_FOR.get(word, word) for word in shlex.split(arguments)]
    key = tmp_path / "operator.pem"
    key.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    words = [str(key) if word == "operator.pem" else word for word in words]
    code, output = run(words)
    assert code == 0, f"{page}: {arguments}: {output}"
    assert len(ordered) == 1


def test_every_target_of_make_in_a_page_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for page in PAGES:
        named = set(MAKE.findall(page.read_text(encoding="utf-8")))
        assert named <= targets, page.name


@pytest.mark.parametrize("word", list(MODES))
def test_every_mode_has_its_word(word: str, ordered: list[Signed]) -> None:
    assert run(["markets", word, "btcusdt", "--reason", "a test", "--who", "me"])[0] == 0
    assert ordered == [Signed(SetMode("BTCUSDT", word), "me", "a test")]


@pytest.mark.parametrize(
    "arguments",
    [
        "markets halt BTCUSDT",  # no reason
        "markets halt --reason x",
        "markets stop BTCUSDT --reason x",
        "rules activate 0 --reason x",
        "rules activate two --reason x",
        "skip 1 --reason x --key operator.pem",
        "skip -1 0 --reason x --key operator.pem",
        "skip 1 0 --reason x --key nowhere.pem",
        "skip 1 0 --reason x",
        "markets add nowhere.toml --reason x",
        "account freeze a@example.com",
        "breaches clear 0 --reason x",
    ],
)
def test_what_is_incomplete_orders_nothing(arguments: str, ordered: list[Signed]) -> None:
    code, _ = run(shlex.split(arguments))
    assert code != 0
    assert ordered == []
