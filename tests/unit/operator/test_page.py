"""The operators' page has a place for each order that may come over HTTP, with that order's own fields."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import msgspec

from services.operator import page
from services.operator.admin import NOT_OVER_HTTP
from services.operator.orders import Order

FOLDER = Path(page.__file__).parent


class Forms(HTMLParser):
    """Order -> the names of the fields of its form, and their kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            kind = said.get("data-look") or said.get("data-order")
            self._fields = self.found.setdefault(kind, {}) if kind else None
        elif "name" in said and self._fields is not None:
            self._fields[str(said["name"])] = said.get("data-kind") or "text"

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None


def test_each_order_that_may_come_over_http_has_a_form_with_its_fields() -> None:
    forms = Forms()
    forms.feed((FOLDER / "index.html").read_text("utf-8"))
    shown = set(re.findall(r'\["\w+", "(\w+)", ', (FOLDER / "page.js").read_text("utf-8")))
    over_http = {order for order in get_args(Order) if order not in NOT_OVER_HTTP}
    assert len(shown) >= 5
    assert {order.__name__ for order in over_http} == set(forms.found) | shown
    kinds = {int: "number", str: "text"}
    for order in over_http:
        if order.__name__ not in forms.found:
            continue
        fields = {field.name: kinds.get(field.type, "pairs") for field in msgspec.structs.fields(order)}
        assert forms.found[order.__name__] == fields, order.__name__
