"""docs/conformance.md says what the tests say, and no item is two things at once."""

from tests.conformance import DOCUMENT, ITEMS, OPEN, REFUSED, UNUSED, covered, document


def test_the_document_is_what_the_marks_of_the_tests_make() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run: python -m tests.conformance"


def test_every_item_has_a_name_of_its_own() -> None:
    names = [item for items in ITEMS.values() for item in items]
    assert len(names) == len(set(names)) == 294
    assert set(names) >= {*OPEN, *REFUSED, *UNUSED}
    assert not OPEN.keys() & REFUSED.keys()
    assert not (OPEN.keys() | REFUSED.keys()) & UNUSED


def test_what_is_covered_is_not_open_and_what_is_refused_is_shown_to_be() -> None:
    tests = covered()
    assert not tests.keys() & (OPEN.keys() | UNUSED)
    assert not REFUSED.keys() - tests.keys()
    items = {item for names in ITEMS.values() for item in names}
    assert not items - tests.keys() - OPEN.keys() - UNUSED, "neither covered by a test nor open with a reason"
