"""The audit reckons with whole numbers of any size, also where its compiled build gets 64 bits from an event.

mypyc makes what is reckoned of an `i64` an `i64`, which silently loses what is beyond; a field that was first
given to an `int`, or to a function that takes one, is a number of any size.
"""

import ast
from pathlib import Path

import pytest

from matching_engine.build import _AUDITOR

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ("events", "fee_events", "filter_events", "order_events", "event_unpacking")


def native_fields() -> dict[str, set[str]]:
    """Class -> its fields of 64 bits."""
    found: dict[str, set[str]] = {}
    for name in CONTRACTS:
        tree = ast.parse((ROOT / f"exchange/contracts/{name}.py").read_text(encoding="utf-8"))
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for node in ast.walk(kind):
                if isinstance(node, ast.arg) and ast.unparse(node.annotation or node) == "i64":
                    found.setdefault(kind.name, set()).add(node.arg)
                if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "i64":
                    assert isinstance(node.target, ast.Attribute)
                    found.setdefault(kind.name, set()).add(node.target.attr)
    return found


def reckoned_natively(source: str) -> list[str]:
    """Places where a field of 64 bits is reckoned with, or named, as it is."""
    fields = native_fields()
    found = []
    for function in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)):
        kinds = {a.arg: ast.unparse(a.annotation) for a in function.args.args if a.annotation is not None}

        def is_native(node: ast.expr | None, kinds: dict[str, str] = kinds) -> bool:
            return (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.attr in fields.get(kinds.get(node.value.id, ""), ())
            )

        for node in ast.walk(function):
            parts: list[ast.expr] = []
            if isinstance(node, ast.BinOp):
                parts = [node.left, node.right]
            elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
                parts = [node.operand]
            elif isinstance(node, ast.IfExp):
                parts = [node.body, node.orelse]
            elif isinstance(node, ast.BoolOp):
                parts = node.values
            elif isinstance(node, ast.AugAssign | ast.Assign | ast.NamedExpr):
                parts = [*node.value.elts] if isinstance(node.value, ast.Tuple) else [node.value]
            found += [f"line {part.lineno}: {ast.unparse(part)}" for part in parts if is_native(part)]
    return found


@pytest.mark.parametrize("path", [path for path in _AUDITOR if not path.endswith("links.py")])
def test_no_figure_of_an_event_is_reckoned_with_in_64_bits(path: str) -> None:
    assert not reckoned_natively((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "x = event.base_atoms",
        "x, y = event.base_atoms, 1",
        "x: int = event.base_atoms * 2",
        "x: int = 2 + event.base_atoms",
        "x: int = -event.base_atoms",
        "self.held -= event.base_atoms",
        "x: int = event.base_atoms if event else 0",
    ],
)
def test_what_would_lose_a_figure_is_seen(line: str) -> None:
    assert reckoned_natively(f"def f(self, event: TradeExecuted) -> None:\n    {line}\n")


def test_what_keeps_it_is_not() -> None:
    kept = "x: int = event.base_atoms\n    f(event.base_atoms)\n    return event.base_atoms == x"
    assert not reckoned_natively(f"def f(event: TradeExecuted) -> bool:\n    {kept}\n")
    assert {"TradeExecuted", "OrderAccepted", "OrderClosed", "ReadOutcome"} <= native_fields().keys()
