"""Every refusal, every end of an order and every number that the public sees has its words."""

import ast
from pathlib import Path
from typing import Final

import pytest

from exchange.contracts import codes, rejections
from services.user.doors import failures

ROOT: Final = Path(__file__).resolve().parents[2]


def _of(prefix: str) -> dict[str, int]:
    return {name: number for name, number in vars(codes).items() if name.startswith(prefix)}


@pytest.mark.parametrize("name", list(_of("REJECT_")))
def test_every_refusal_has_its_code_and_text(name: str) -> None:
    reason = getattr(codes, name)
    assert reason in rejections._ORDER_REJECTIONS
    for answer in (rejections.order_rejection(reason), rejections.cancel_rejection(reason)):
        assert 400 <= answer.status < 500, "it was refused for sure: nobody may take it for a fault of ours"
        assert -3000 < answer.code < -1000
        assert answer.message


@pytest.mark.parametrize("name", list(_of("CLOSED_")))
def test_every_reason_to_close_an_order_has_its_name(name: str) -> None:
    assert codes.CLOSE_REASON_NAMES[getattr(codes, name)]


@pytest.mark.parametrize(
    ("prefix", "table"),
    [
        ("MODE_", codes.TRADING_MODE_NAMES),
        ("STP_EXPIRE", codes.STP_NAMES),
    ],
)
def test_every_number_has_its_public_name(prefix: str, table: dict[int, str]) -> None:
    assert set(_of(prefix).values()) <= set(table)


def _reasons_of_the_treasury() -> set[int]:
    tree = ast.parse((ROOT / "matching_engine/core/treasury.py").read_text(encoding="utf-8"))
    named = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr.startswith("REJECT_")}
    accounts = ast.parse((ROOT / "matching_engine/core/accounts.py").read_text(encoding="utf-8"))
    named |= {
        n.attr for n in ast.walk(accounts) if isinstance(n, ast.Attribute) and n.attr.startswith("REJECT_")
    }
    return {getattr(codes, name) for name in named} | {codes.REJECT_MALFORMED, codes.REJECT_SKIPPED}


def test_every_refusal_of_a_transfer_has_its_words() -> None:
    # Too little money has a problem of its own.
    reasons = _reasons_of_the_treasury() - {codes.REJECT_INSUFFICIENT_BALANCE}
    assert reasons <= set(failures._REFUSALS)
