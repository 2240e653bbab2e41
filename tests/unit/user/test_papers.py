"""Papers of an account: statements add up, files are read alike by programs and spreadsheets."""

import csv
import io
import random

from exchange.money import parse_fixed
from services.user.money.papers import csv_of, statement_of
from services.user.money.statement_pdf import pdf_of
from services.user.tables.reports import LedgerSum

KINDS = ("DEPOSIT", "TRADE", "FEE", "WITHDRAWAL_SETTLE")


def signed(text: str, decimals: int) -> int:
    return -parse_fixed(text[1:], decimals) if text.startswith("-") else parse_fixed(text, decimals)


def test_an_assets_end_is_its_beginning_and_the_sum_of_its_lines() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    before = [LedgerSum("BTC", 8, kind, chance.randrange(10**15)) for kind in KINDS]
    within = [
        LedgerSum(code, 8, kind, chance.randrange(-(10**12), 10**12))
        for code in ("BTC", "ETH")
        for kind in KINDS
    ]
    within.append(LedgerSum("BTC", 8, "ORDER_HOLD", 0))
    statement = statement_of("2026-11", "a@example.com", before, within)
    assert [line.asset for line in statement.lines] == ["BTC", "ETH"]
    for line in statement.lines:
        moved = sum(signed(amount, 8) for amount in line.movements.values())
        assert signed(line.closing, 8) == signed(line.opening, 8) + moved
        assert "ORDER_HOLD" not in line.movements
    assert signed(statement.lines[0].opening, 8) == sum(one.amount_atoms for one in before)


def test_an_asset_without_money_or_movement_is_left_out() -> None:
    gone = [LedgerSum("BTC", 8, "DEPOSIT", 5), LedgerSum("BTC", 8, "WITHDRAWAL_SETTLE", -5)]
    assert statement_of("2026-11", "", gone, []).lines == []


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    table = [["name", "amount"], ["=1+1", "-5.00"], ["@x", "a,b"], ["-cmd", 'say "x"']]
    rows = list(csv.reader(io.StringIO(csv_of(table).decode(), newline="")))
    assert rows == [["name", "amount"], ["'=1+1", "-5.00"], ["'@x", "a,b"], ["'-cmd", 'say "x"']]


def test_the_pdf_has_each_line_on_as_many_pages_as_it_takes() -> None:
    within = [LedgerSum(f"A{number:03}", 8, "DEPOSIT", number + 1) for number in range(200)]
    pdf = pdf_of(statement_of("2026-11", "a(b)@example.com", [], within))
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") >= 15
    for number in range(200):
        assert f"A{number:03}".encode() in pdf
    assert b"0.00000200" in pdf
