"""docs/conformance.md says what the tests say, and no item is two things at once."""

from tests.conformance import ABSENT, DOCUMENT, ITEMS, LEFT_OUT, REFUSED, UNUSED, covered, document


def test_the_document_is_what_the_marks_of_the_tests_make() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run: python -m tests.conformance"


def test_every_item_has_a_name_of_its_own() -> None:
    names = [item for items in ITEMS.values() for item in items]
    assert len(names) == len(set(names)) == 294
    with_reasons = [*ABSENT, *LEFT_OUT, *REFUSED, *UNUSED]
    assert set(names) >= set(with_reasons)
    assert len(with_reasons) == len(set(with_reasons)), "an item is one thing"


def test_what_is_covered_is_not_left_out_and_what_is_refused_or_absent_is_shown_to_be() -> None:
    tests = covered()
    assert not tests.keys() & (LEFT_OUT.keys() | UNUSED)
    assert not (REFUSED.keys() | ABSENT.keys()) - tests.keys()
    items = {item for names in ITEMS.values() for item in names}
    assert not items - tests.keys() - LEFT_OUT.keys() - UNUSED, "neither covered nor left out with a reason"
