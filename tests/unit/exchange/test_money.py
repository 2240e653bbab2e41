"""Promises of exchange/money.py."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.money import (
    DECIMALS_MAX,
    IllegalNumberError,
    NumberError,
    NumberOverflowError,
    PrecisionError,
    format_fixed,
    parse_fixed,
)

VALUE_MAX = 2**63 - 1


@given(st.integers(0, VALUE_MAX), st.integers(0, DECIMALS_MAX))
def test_formatted_money_parses_back_to_itself(value: int, decimals: int) -> None:
    assert parse_fixed(format_fixed(value, decimals), decimals) == value


@given(st.text(max_size=50), st.integers(0, DECIMALS_MAX))
def test_any_text_is_a_number_of_atoms_or_a_number_error(text: str, decimals: int) -> None:
    with contextlib.suppress(NumberError):
        assert 0 <= parse_fixed(text, decimals) <= VALUE_MAX


@pytest.mark.parametrize(
    ("text", "decimals", "value"),
    [
        ("0", 8, 0),
        ("0.00000001", 8, 1),
        ("1", 8, 10**8),
        ("1.5", 8, 150_000_000),
        ("1.50000000000", 8, 150_000_000),  # zeros behind the precision say nothing new
        ("007", 0, 7),
        ("7.000", 0, 7),
        ("92233720368.54775807", 8, VALUE_MAX),
        ("9223372036854775807", 0, VALUE_MAX),
        ("00000000000000000001.1", 1, 11),
    ],
)
def test_numbers_are_read_exactly(text: str, decimals: int, value: int) -> None:
    assert parse_fixed(text, decimals) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "1.", ".5", "-1", "+1", "1e5", "1E-5", "0x10", "1,5", "1_000", " 1", "1 ", "1\n", "\t1",
        "NaN", "nan", "Infinity", "inf", "1.2.3", "--1", "1/2", "١٢٣", "\uff11\uff12", "1\u066b5", "²",
        "\x001", "1\x00", "1" * 21, "0." + "1" * 21, "0" * 1_000_000,
    ],
)  # fmt: skip
def test_text_that_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(IllegalNumberError):
        parse_fixed(text, 8)


@pytest.mark.parametrize(("text", "decimals"), [("0.000000001", 8), ("1.1", 0), ("0.12345678901", 8)])
def test_more_decimals_than_the_unit_has_are_refused(text: str, decimals: int) -> None:
    with pytest.raises(PrecisionError):
        parse_fixed(text, decimals)


@pytest.mark.parametrize(
    ("text", "decimals"), [("92233720368.54775808", 8), ("9" * 20, 0), ("99999999999", 18)]
)
def test_more_than_63_bits_are_refused(text: str, decimals: int) -> None:
    with pytest.raises(NumberOverflowError):
        parse_fixed(text, decimals)


def test_error_message_does_not_repeat_a_huge_input() -> None:
    with pytest.raises(IllegalNumberError) as caught:
        parse_fixed("x" * 10_000, 8)
    assert len(str(caught.value)) <= 40


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("abc", "digits with at most one point"),
        ("0.123456789", "at most 8 decimals"),
        ("9" * 19, "too large"),
    ],
)
def test_an_error_says_what_is_wanted_and_not_the_text_again(text: str, words: str) -> None:
    """Whoever shows it has named the text already: "abc is no amount of USDT: abc" helped nobody."""
    with pytest.raises(NumberError) as caught:
        parse_fixed(text, 8)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 8, "0.00000000"),
        (1, 8, "0.00000001"),
        (-1, 8, "-0.00000001"),
        (123_456_789_012, 8, "1234.56789012"),
        (-150, 2, "-1.50"),
        (7, 0, "7"),
    ],
)
def test_money_is_written_with_all_its_decimals(value: int, decimals: int, text: str) -> None:
    assert format_fixed(value, decimals) == text
