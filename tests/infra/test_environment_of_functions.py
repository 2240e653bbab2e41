"""What Terraform puts into a function's environment is what its code reads, handler by handler."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.process.config import Settings
from infra.checks.terraform import Outcome
from tests.helm.charts import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SETTINGS = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
# Folder -> what its handlers are called below; a zip's handler is named without its folder.
FOLDERS = {
    "modules/messaging": ROOT,
    "modules/reads": ROOT,
    "modules/security": ROOT / "infra/functions/rotation",
}


def read_by(handler: str, root: Path) -> tuple[set[str], bool]:
    """Variables that the handler and what it calls in its module read, and whether it loads settings."""
    module, _, name = handler.rpartition(".")
    tree = ast.parse((root / (module.replace(".", "/") + ".py")).read_text("utf-8"))
    functions = {
        each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in functions, handler
    waiting, seen, found = [name], set[str](), set[str]()
    settings = False
    while waiting:
        current = waiting.pop()
        seen.add(current)
        for node in ast.walk(functions[current]):
            if isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                waiting.append(node.id)
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                found.add(ast.literal_eval(node.slice))
            settings = (
                settings or "Settings.load" in ast.unparse(node) if isinstance(node, ast.Call) else settings
            )
    return found, settings


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_function_is_told_what_it_reads_and_nothing_else(
    outcome_of: Callable[[str], Outcome], folder: str
) -> None:
    functions = [
        each["values"] for each in outcome_of(folder).resources if each["type"] == "aws_lambda_function"
    ]
    assert functions
    for values in functions:
        (configured,) = values["image_config"] or [{"command": [values["handler"]]}]
        told = set(values["environment"][0]["variables"])
        read, settings = read_by(configured["command"][0], FOLDERS[folder])
        assert told - read <= (SETTINGS if settings else set()), configured
        # Optional where the code asks first whether it is there.
        assert read - told == set(), configured
