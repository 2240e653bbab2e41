"""The front page: the markets for those without a session, without scripts, kept for seconds."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from unittest.mock import Mock

import pytest

from services.market_data.front import page as front
from services.market_data.front.rows import ROWS_MAX, front_rows, readable
from services.market_data.front.words import LANGUAGES
from tests.event_streams import RandomTrading
from tests.unit.market_data.services import OfflineService


@pytest.fixture
def offline() -> OfflineService:
    offline = OfflineService()
    trading = RandomTrading(14)
    trading.run(300)
    offline.apply(trading.stream.outcomes)
    offline.now_ms = offline.state.time_ms + 5_000
    return offline


class Cells(HTMLParser):
    """The texts of the table, row by row; what closes must have been opened."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.points: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.points += [value or "" for name, value in attrs if name == "points"]
        if tag not in ("meta", "link", "img", "polyline"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.points += [value or "" for name, value in attrs if name == "points"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def table(text: str) -> Cells:
    cells = Cells()
    cells.feed(text)
    cells.close()
    assert cells.open == []
    return cells


async def test_it_says_of_every_market_what_the_api_says(offline: OfflineService) -> None:
    answer = await offline.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    tickers = {one["symbol"]: one for one in (await offline.get("/api/v3/ticker/24hr")).json()}
    found = table(answer.text)
    rows = {cells[0].replace("/", ""): cells for cells in found.rows[1:]}
    assert set(rows) == set(tickers)
    assert len(tickers) > 1
    for symbol, ticker in tickers.items():
        figures = [re.sub("^\N{EN DASH}$", "0", cell.replace(",", "").strip()) for cell in rows[symbol]]
        _, last, change, high, low, *_ = figures
        for shown, name in ((last, "lastPrice"), (high, "highPrice"), (low, "lowPrice")):
            assert ticker[name].startswith(shown), symbol
        assert change.removeprefix("+").removesuffix(" %") == ticker["priceChangePercent"][:-1]
        assert f'href="/terminal/#{symbol}"' in answer.text
    assert len(found.points) == sum(one["count"] > 0 for one in tickers.values()) > 1
    for points in found.points:
        assert re.fullmatch(r"\d+,\d+( \d+,\d+)*", points)
        assert all(0 <= int(y) <= 28 for y in re.findall(r",(\d+)", points))


async def test_it_is_kept_for_seconds_by_whoever_stands_between(offline: OfflineService) -> None:
    assert (await offline.get("/")).headers["cache-control"] == "public, max-age=5, stale-while-revalidate=30"


async def test_it_loads_what_is_ours_and_allows_one_style_by_its_hash(offline: OfflineService) -> None:
    answer = await offline.get("/")
    policy = answer.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; script-src 'self'; style-src 'sha256-{digest}'; img-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    assert re.findall(r"<script[^>]*>(.*?)</script>", answer.text, re.DOTALL) == [""]
    assert not re.search(r"\sstyle=|\son\w+=|https?://|javascript:", answer.text)
    assert len(answer.content) < 20_000


async def test_it_is_made_once_a_second_however_often_it_is_asked_for(
    offline: OfflineService, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Mock(wraps=front_rows)
    monkeypatch.setattr(front, "front_rows", made)
    for _ in range(20):
        await offline.get("/?lang=de")
    assert made.call_count == 1
    offline.now_ms += 1_000
    await offline.get("/?lang=de")
    # Words that nobody speaks are English, and no page of their own.
    for name in ("", "xx", "en", "%00", "de" * 200):
        await offline.get(f"/?lang={name}&x=1")
    assert made.call_count == 3


async def test_methods_and_the_time_before_the_markets_are_known(offline: OfflineService) -> None:
    head = await offline.request("HEAD", "/")
    assert (head.status_code, head.content) == (200, b"")
    refused = await offline.request("POST", "/")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    vars(offline.service.markets)["missing_records"] = lambda: 3
    early = await offline.get("/")
    assert (early.status_code, early.headers["cache-control"]) == (503, "no-store")


async def test_who_types_terminal_without_its_slash_is_led_there(offline: OfflineService) -> None:
    answer = await offline.get("/terminal")
    assert (answer.status_code, answer.headers["location"]) == (308, "/terminal/")
    assert (await offline.get("/terminals")).status_code == 404


async def test_an_exchange_without_markets_says_so() -> None:
    answer = await OfflineService().get("/")
    assert (answer.status_code, table(answer.text).rows) == (200, [])
    assert "No markets yet." in answer.text


async def test_it_is_bounded_and_says_what_is_left_out(offline: OfflineService) -> None:
    view = next(iter(offline.state.views.values()))
    offline.state.views.update({1_000 + number: view for number in range(1_500)})
    answer = await offline.get("/?lang=de")
    assert len(table(answer.text).rows) == 1 + ROWS_MAX
    left_out = f"{len(offline.state.views) - ROWS_MAX:,}".replace(",", ".")
    assert f"{left_out} weitere Märkte" in answer.text


@pytest.mark.parametrize("code", LANGUAGES)
async def test_every_language_has_every_word(offline: OfflineService, code: str) -> None:
    language = LANGUAGES[code]
    assert language.words.keys() == LANGUAGES["en"].words.keys()
    answer = await offline.get(f"/?lang={code}")
    assert f'<html lang="{code}">' in answer.text
    assert f"<h1>{language.words['heading']}</h1>" in answer.text
    assert len(re.findall(r'rel="alternate" hreflang', answer.text)) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("code", "text"), [("en", "-1,234,567.80"), ("de", "-1.234.567,80"), ("es", "-1.234.567,80")]
)
def test_numbers_are_written_as_the_language_writes_them(code: str, text: str) -> None:
    assert readable("-1234567.80", LANGUAGES[code]) == text


def test_spanish_groups_from_five_digits_on() -> None:
    assert [readable(text, LANGUAGES["es"]) for text in ("1234.5", "12345.6", "12")] == [
        "1234,5",
        "12.345,6",
        "12",
    ]
