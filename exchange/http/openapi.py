"""OpenAPI 3.1 documents of services that have tables of routes instead of a framework's models.

A document says of each operation what its table says: parameters, and what its caller must prove. Tests send
every example, and leave out each parameter that is called required.
"""

import html
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

__all__ = ["Operation", "docs_page", "document"]

_INTEGERS: Final = frozenset(
    {
        *("limit", "offset", "fromId", "startTime", "endTime", "timestamp", "orderId", "cancelOrderId"),
        *("orderListId", "fromAllocationId", "fromExecutionId", "preventedMatchId", "fromPreventedMatchId"),
        *("strategyId", "strategyType", "pegOffsetValue", "trailingDelta"),
    }
)
_BOOLEANS: Final = frozenset(
    ["omitZeroBalances", "computeCommissionRates", "showPermissionSets", "spotBNBBurn"]
)
_ERROR: Final = {
    "type": "object",
    "required": ["code", "msg"],
    "properties": {"code": {"type": "integer"}, "msg": {"type": "string"}},
}


class Operation(NamedTuple):
    """One method of one path. `parameters`: what it reads; `required`: what must be there.

    `example`: a query that a test sends. `proof`: what the caller must prove, "" for nothing. `is_signed`:
    with a signature over the request.
    """

    verb: str
    path: str
    summary: str
    parameters: frozenset[str]
    required: frozenset[str]
    example: str
    proof: str = ""
    is_signed: bool = False


def _parameter(operation: Operation, name: str, examples: Mapping[str, str]) -> dict[str, object]:
    kind = "integer" if name in _INTEGERS else "boolean" if name in _BOOLEANS else "string"
    shape: dict[str, object] = {
        "name": name,
        "in": "query",
        "required": name in operation.required,
        "schema": {"type": kind},
    }
    if name in examples:
        shape["example"] = int(examples[name]) if kind == "integer" else examples[name]
    return shape


def document(title: str, description: str, operations: Iterable[Operation]) -> dict[str, object]:
    """The OpenAPI document of these operations."""
    paths: dict[str, dict[str, object]] = {}
    for one in operations:
        examples = dict(parse_qsl(one.example))
        shape: dict[str, object] = {
            "summary": one.summary,
            "operationId": f"{one.verb.lower()} {one.path}",
            "parameters": [_parameter(one, name, examples) for name in sorted(one.parameters)],
            "responses": {
                "200": {"description": "The answer", "content": {"application/json": {"schema": {}}}},
                "4XX": {
                    "description": "A refusal",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }
        if one.proof:
            shape["security"] = [{"key": [], "signature": []} if one.is_signed else {"key": []}]
            shape["description"] = f"The caller proves {one.proof}."
        paths.setdefault(one.path, {})[one.verb.lower()] = shape
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "description": description, "version": "3"},
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-MBX-APIKEY"},
                "signature": {"type": "apiKey", "in": "query", "name": "signature"},
            },
        },
    }


def docs_page(documents: Mapping[str, str], shown: Mapping[str, object]) -> bytes:
    """A page without scripts and styles: links to documents (title -> path), and the operations of one."""
    links = "".join(
        f'<li><a href="{html.escape(path)}">{html.escape(title)}</a></li>'
        for title, path in documents.items()
    )
    rows = []
    paths = shown["paths"]
    assert isinstance(paths, dict)
    for path, verbs in paths.items():
        for verb, shape in verbs.items():
            names = ", ".join(one["name"] + ("" if one["required"] else "?") for one in shape["parameters"])
            cells = (f"{verb.upper()} {path}", names, shape["summary"])
            rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>API</title><h1>API</h1>'
        f"<p>OpenAPI documents:</p><ul>{links}</ul><h2>Public market data</h2><table>"
        f"<tr><th>Call</th><th>Parameters</th><th></th></tr>{''.join(rows)}</table></html>"
    ).encode()
