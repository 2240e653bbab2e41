"""The SQL of a service: every text in the modules that its main module brings in."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import grimp

__all__ = ["MAINS", "Statement", "statements_by_service"]

# Service account of the chart -> the modules that run in its pods.
MAINS: Final = {
    "order": ("services.order.main",),
    "market-data": ("services.market_data.main",),
    # Operators order from its pods (docs/operator.md).
    "user": (
        "services.user.main",
        "services.operator.main",
        "services.data_keys.main",
        "services.audit_log.main",
    ),
    "projections": ("services.projections.main", "services.projections.ledger.candle_backfill"),
    # The ledger against itself, which the page of its alarm asks for.
    "auditor": ("services.auditor.main", "services.projections.ledger.reconcile"),
    "notifier": ("services.notifier.main", "services.notifier.redrive.main"),
    "statements": ("services.user.aws_lambda.main",),
}
_SQL: Final = re.compile(r"\s*\(?(SELECT|INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|WITH)\s+\S+\s", re.ASCII)
# What copies rows in says so by its call: copy(connection, "orders", ...).
_COPIES: Final = re.compile(r"\bcopy\(\s*connection,\s*\"(\w+)\"", re.ASCII)
_HOLE: Final = "{hole}"
# What str.format or % fills in later.
_HOLES: Final = re.compile(r"\{|%s")
# A right -> words in front of the table that speak of it.
_WORDS: Final = {
    "SELECT": r"(?:FROM|JOIN) ",
    "INSERT": "INSERT INTO ",
    "UPDATE": "UPDATE ",
    "DELETE": "DELETE FROM ",
}


@dataclass(frozen=True)
class Statement:
    """`is_whole`: it can be asked of a server as it is."""

    text: str
    module: str
    is_whole: bool
    # Words that stand by themselves in its module: what may fill a hole.
    words: frozenset[str] = frozenset()

    def begins(self, starts: Iterable[str]) -> bool:
        """Whether it begins with one of these."""
        return any(" ".join(self.text.split()).startswith(start) for start in starts)

    def mentions(self, table: str) -> bool:
        """Whether it names the table, or may."""
        may = table in self.words and _HOLE in self.text
        return may or re.search(rf"\b{table}\b", self.text) is not None

    def speaks_of(self, right: str, table: str) -> bool:
        """Whether its words speak of this right on this table, or on a hole that its name may fill."""
        place = re.escape(_HOLE) if table in self.words else table
        words = rf"{_WORDS[right.split(' ')[0]]}(?:{table}\b|{place})"
        return re.search(words, " ".join(self.text.split())) is not None


def statements_by_service() -> dict[str, list[Statement]]:
    """All that each main module imports, directly or not; what only migrations say is the owner's."""
    graph = grimp.build_graph("exchange", "services", exclude_type_checking_imports=True, cache_dir=None)
    modules: dict[str, list[Statement]] = {}
    found = {}
    for service, mains in MAINS.items():
        reached = {name for main in mains for name in (main, *graph.find_upstream_modules(main))}
        names = sorted(name for name in reached if not name.startswith("services.migrations"))
        for name in names:
            if name not in modules:
                modules[name] = list(_of(importlib.import_module(name)))
        found[service] = [statement for name in names for statement in modules[name]]
    return found


def _of(module: ModuleType) -> Iterator[Statement]:
    whole = dict.fromkeys(_kept(module))
    source = inspect.getsource(module)
    tree = ast.parse(source)
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    words = frozenset(value for value in constants if isinstance(value, str) and value.isidentifier())
    for text, has_holes in _written(tree):
        if has_holes:
            yield Statement(text, module.__name__, is_whole=False, words=words)
        else:
            whole.setdefault(text)
    yield from (Statement(text, module.__name__, is_whole=True) for text in whole)
    for table in _COPIES.findall(source):
        yield Statement(f"INSERT INTO {table} DEFAULT VALUES", module.__name__, is_whole=True)


def _kept(module: ModuleType) -> Iterator[str]:
    """Texts that a module keeps under a name: put together already. What has holes is filled in later."""
    for value in vars(module).values():
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and _SQL.match(text) and not _HOLES.search(text):
                yield text


def _written(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Texts that stand in the code of functions and in templates, and whether they have holes."""
    templates = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for template in templates for part in template.values}
    for template in templates:
        text = "".join(
            str(part.value) if isinstance(part, ast.Constant) else _HOLE for part in template.values
        )
        if _SQL.match(text):
            yield text, True
    for node in ast.walk(tree):
        kept = node.value if isinstance(node, ast.Constant) else None
        if isinstance(kept, str) and id(node) not in parts and _SQL.match(kept):
            yield kept, _HOLES.search(kept) is not None
