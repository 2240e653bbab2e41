"""A statement as a PDF: lines of one fixed-width font, as many pages as it takes."""

import io
from typing import Final

import pydyf

from services.user.money.papers import Statement

__all__ = ["pdf_of"]

# A4 in points, lines of 9-point Courier.
_WIDTH, _HEIGHT = 595, 842
_LINE_POINTS: Final = 13
_LEFT, _TOP = 50, 790
_LINES_OF_PAGE: Final = 54


def pdf_of(statement: Statement) -> bytes:
    """The bytes of the file."""
    lines = _lines(statement)
    pages = [lines[start : start + _LINES_OF_PAGE] for start in range(0, len(lines), _LINES_OF_PAGE)]
    pdf = pydyf.PDF()
    font = pydyf.Dictionary(
        {
            "Type": "/Font",
            "Subtype": "/Type1",
            "Name": "/F1",
            "BaseFont": "/Courier",
            "Encoding": "/WinAnsiEncoding",
        }
    )
    pdf.add_object(font)
    for number, page in enumerate(pages, 1):
        text = pydyf.Stream()
        text.begin_text()
        text.set_font_size("F1", 9)
        text.set_text_matrix(1, 0, 0, 1, _LEFT, _TOP)
        for line in [*page, "", f"Page {number} of {len(pages)}"]:
            text.show_text(pydyf.String(_plain(line)))
            text.move_text_to(0, -_LINE_POINTS)
        text.end_text()
        pdf.add_object(text)
        pdf.add_page(
            pydyf.Dictionary(
                {
                    "Type": "/Page",
                    "Parent": pdf.pages.reference,
                    "Contents": text.reference,
                    "MediaBox": pydyf.Array([0, 0, _WIDTH, _HEIGHT]),
                    "Resources": pydyf.Dictionary({"Font": pydyf.Dictionary({"F1": font.reference})}),
                }
            )
        )
    out = io.BytesIO()
    pdf.write(out)
    return out.getvalue()


def _lines(statement: Statement) -> list[str]:
    lines = [f"Statement of {statement.month} (UTC)", f"Account {statement.email}", ""]
    for line in statement.lines:
        lines += [f"{line.asset}", f"  {'Beginning':<24}{line.opening:>34}"]
        lines += [f"  {kind:<24}{amount:>34}" for kind, amount in line.movements.items()]
        lines += [f"  {'End':<24}{line.closing:>34}", ""]
    if not statement.lines:
        lines.append("Nothing was held or moved.")
    return lines


def _plain(line: str) -> str:
    return line.encode("ascii", "replace").decode()
