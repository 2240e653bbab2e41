"""The web terminal's files: whole, without what the content policy refuses, served alike in every mode.

Its pure modules are tested by node's own runner (web/tests), with results of Python to compare with.
"""

import gzip
import hashlib
import hmac
import json
import os
import random
import re
import shutil
import subprocess
from decimal import ROUND_DOWN, Decimal, localcontext
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from exchange.contracts import errors, rejections
from local.terminal import WEB_ROOT, terminal_app
from services.user.doors import problems

ROOT = Path(__file__).parents[2]
PAGE = (WEB_ROOT / "terminal" / "index.html").read_text("utf-8")
FILES = sorted(path for path in (WEB_ROOT / "terminal").iterdir())
# The page for those without a session, which another service makes; it has one script here.
FRONT = (ROOT / "services" / "market_data" / "front" / "front.html").read_text("utf-8")
# Others' work, whole and unchanged: the standalone build of the npm package of that version, by its SHA-256.
VENDORED = {
    "lightweight-charts.js": (
        "lightweight-charts 5.2.1",
        "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f",
    )
}
# Where a page may lead to: the chart's makers ask to be named with a link.
LINKS = {"https://www.tradingview.com/"}
MODULES = [path for path in FILES if path.suffix == ".js" and path.name not in VENDORED]
# What is asked for by `import(...)` comes when it is wanted, and is no part of the first load.
SCRIPTS = "".join(path.read_text("utf-8") for path in MODULES)
LATER = {
    *re.findall(r'import\("\./([\w-]+\.js)"\)', SCRIPTS),
    *re.findall(r'rel: "stylesheet", href: "/terminal/([\w-]+\.css)"', SCRIPTS),
}


IMPORTS = re.compile(r'^(?:import|}) (?:.*from )?"\./([\w-]+\.js)";$', re.MULTILINE)


def imported(*names: str) -> set[str]:
    """These modules and all that they import, however far."""
    found, ahead = set(), [*names]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            text = (WEB_ROOT / "terminal" / name).read_text("utf-8")
            ahead += IMPORTS.findall(text)
    return found


# Whatever app.js imports comes at once, also what a comment or another module names in `import("…")`.
AT_ONCE = imported("app.js")
FIRST_LOAD = [
    path for path in FILES if (path.name in AT_ONCE if path.suffix == ".js" else path.name not in LATER)
]
STRING = r'"((?:[^"\\]|\\.)*)"'
# The exchange's own name, and the name of the chart's makers.
NAMES = {"Exchange", "TradingView"}
IN_LANGUAGE = re.compile(r"words-[a-z]+\.js$")
NODE = shutil.which("node")
ATOM = Decimal("1E-8")
VECTORS = 300


def policies(text: str) -> list[str]:
    """The terminal's policy, wherever it is written; strings that Python has put together are one."""
    return re.findall(r"default-src 'none'; script-src[^\"]*", re.sub(r'"\s*\n\s*"', "", text))


async def get(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(terminal_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://exchange") as client:
        return await client.get(path, headers=headers)


def product(one: Decimal, other: Decimal) -> str:
    """Exact, then cut: with Python's 28 digits a product of two amounts would be rounded first."""
    with localcontext(prec=60):
        return f"{(one * other).quantize(ATOM, ROUND_DOWN):f}"


def vectors(seed: int) -> dict[str, object]:
    chance = random.Random(seed)
    decimals = []
    for _ in range(VECTORS):
        one = Decimal(chance.randrange(10 ** chance.randrange(1, 18))) * ATOM
        other = Decimal(chance.randrange(10 ** chance.randrange(1, 18))) * ATOM
        step = Decimal(10) ** -chance.randrange(0, 9)
        decimals.append(
            {
                "one": f"{one:f}",
                "other": f"{other:f}",
                "product": product(one, other),
                "step": f"{step:f}",
                "floored": f"{(one // step * step).quantize(ATOM):f}",
                "units": str(int(one / ATOM)),
            }
        )
    signatures = []
    for _ in range(20):
        secret, payload = (
            "".join(chance.choices("aZ09&=%ä€ ", k=chance.randrange(1, 200))) for _ in range(2)
        )
        digest = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        signatures.append({"secret": secret, "payload": payload, "digest": digest})
    return {"decimals": decimals, "signatures": signatures}


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="node is not installed: the pure modules are tested by its runner")
def test_money_books_signatures_and_rules_are_exact(tmp_path: Path) -> None:
    assert NODE is not None
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    file = tmp_path / "vectors.json"
    file.write_text(json.dumps(vectors(seed)), "utf-8")
    tests = sorted(str(path) for path in (WEB_ROOT / "tests").glob("*.test.mjs"))
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", *tests],
        env={**os.environ, "TERMINAL_VECTORS": str(file)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"(?m)^# skipped 0$", done.stdout)
    assert tests


def test_every_named_file_is_there_and_every_file_is_named() -> None:
    named = {"index.html"} | set(re.findall(r'(?:src|href)="/terminal/([^"#]+)"', PAGE + FRONT))
    for path in MODULES:
        named |= set(IMPORTS.findall(path.read_text("utf-8")))
    assert named | LATER == {path.name for path in FILES}


def test_nothing_comes_from_elsewhere() -> None:
    for path in FILES:
        if path.name in VENDORED:
            continue
        text = path.read_text("utf-8").replace('"http://www.w3.org/2000/svg"', "")
        for link in LINKS:
            text = text.replace(f'<a href="{link}" rel="noopener noreferrer" target="_blank">', "")
        assert not re.search(r"https?://|wss?://|url\(|@import|\"//", text), path.name


def test_the_page_has_no_script_style_or_handler_of_its_own() -> None:
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", PAGE)
    assert re.findall(r"<script[^>]*>(.*?)</script>", PAGE, re.DOTALL) == [""]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_data_never_become_markup_or_code_and_secrets_are_not_kept(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|srcdoc", text
    )
    kept = set(re.findall(r'localStorage\.setItem\("exchange\.(\w+)",', text))
    assert len(re.findall(r"localStorage\.setItem", text)) == len(kept)
    assert kept <= {"interval", "chart", "language", "favourites", "notices"}
    assert "parseFloat" not in text
    assert len(text.splitlines()) < 400


def test_elements_that_modules_ask_for_are_in_the_page() -> None:
    ids = re.findall(r'\bid="([\w-]+)"', PAGE)
    assert len(ids) == len(set(ids))
    # What modules make has ids that nothing else has.
    later = re.findall(r'\bid: "([\w-]+)"', SCRIPTS)
    assert len(later) > 5
    assert len({*ids, *later}) == len(ids) + len(later)
    made = {"tab-open", "tab-history", "tab-trades", "tab-balances"}
    for path in MODULES:
        asked = set(re.findall(r'byId\("([\w-]+)"\)', path.read_text("utf-8")))
        assert asked <= {*ids, *made}, path.name
    for kind in ("for", "aria-labelledby", "aria-describedby"):
        assert set(re.findall(rf'\b{kind}="([\w-]+)"', PAGE)) <= set(ids)


def test_one_policy_in_every_mode() -> None:
    (gateway,) = policies((ROOT / "infra" / "nginx" / "exchange.conf.template").read_text("utf-8"))
    (embedded,) = policies((ROOT / "local" / "terminal.py").read_text("utf-8"))
    deployed = (ROOT / "infra/terraform/modules/frontend/main.tf").read_text("utf-8")
    more_places = """${join(" ", compact(["'self'", var.notices_origin]))}"""
    assert more_places in deployed
    (cloud,) = policies(deployed.replace(more_places, "'self'"))
    assert gateway == embedded == cloud
    assert "unsafe" not in gateway


async def test_embedded_mode_serves_the_page_with_its_policy() -> None:
    answer = await get("/terminal/")
    assert answer.status_code == 200
    assert answer.text == PAGE
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert [answer.headers["content-security-policy"]] == policies(
        (ROOT / "infra" / "nginx" / "exchange.conf.template").read_text("utf-8")
    )


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("app.js", "text/javascript"), ("terminal.css", "text/css"), ("favicon.svg", "image/svg+xml")],
)
async def test_embedded_mode_serves_files_by_their_types_and_only_when_changed(
    name: str, media_type: str
) -> None:
    answer = await get(f"/terminal/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    again = await get(f"/terminal/{name}", **{"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_embedded_mode_packs_text() -> None:
    transport = httpx.ASGITransport(terminal_app())
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://exchange") as client,
        client.stream("GET", "/terminal/app.js", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        body = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (WEB_ROOT / "terminal" / "app.js").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/", "/terminal/nothing.js", "/terminal/../package.json", "/terminal/%2e%2e/package.json"],
)
async def test_embedded_mode_serves_nothing_else(path: str) -> None:
    answer = await get(path)
    assert answer.status_code == 404
    assert "content-security-policy" in answer.headers


def test_every_refusal_has_a_sentence_for_people() -> None:
    words = (WEB_ROOT / "terminal" / "words.js").read_text("utf-8")
    by_kind = words[words.index("BY_KIND") : words.index("FIELDS")]
    kinds = re.findall(r'^    "([a-z-]+)": \(\d', Path(problems.__file__).read_text("utf-8"), re.MULTILINE)
    assert len(kinds) > 30
    assert [kind for kind in kinds if not re.search(rf'^  "?{kind}"?: ', by_kind, re.MULTILINE)] == []
    sources = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (errors, rejections))
    codes = set(re.findall(r"\((-\d{4}), ", sources))
    # Malformed requests (-11xx) are the page's own fault, and have one sentence.
    assert [code for code in sorted(codes) if not re.match("-11", code) and f"  [{code}, " not in words] == []


def test_the_first_load_is_small() -> None:
    """All that a visit without a session loads, in whatever language, packed as the gateway packs it."""
    gateway = (ROOT / "infra" / "nginx" / "exchange.conf.template").read_text("utf-8")
    level = int(re.findall(r"gzip_comp_level (\d);", gateway[gateway.index("# The web terminal") :])[0])
    packed = sum(len(gzip.compress(path.read_bytes(), level)) for path in FIRST_LOAD)
    words = {
        path.name: len(gzip.compress(path.read_bytes(), level))
        for path in FILES
        if IN_LANGUAGE.match(path.name)
    }
    print("bytes", packed, words)
    assert len(words) == 3
    most = packed + max(words.values())
    assert most <= 120 * 1024
    # What docs/terminal.md says of it, give or take one.
    table = (ROOT / "docs" / "terminal.md").read_text("utf-8")
    said = re.search(r"\| first load, packed \| (\d+) KB, with another language's words (\d+) KB", table)
    assert said is not None
    assert abs(int(said[1]) - packed / 1024) <= 1
    assert abs(int(said[2]) - most / 1024) <= 1


class Texts(HTMLParser):
    """What a person can read in the page itself: texts, and names that are spoken."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._is_body = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_body |= tag == "body"
        self.found |= {value or "" for name, value in attrs if name == "aria-label" and self._is_body}

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if self._is_body and re.search(r"[A-Za-z]{2}", text):
            self.found.add(text)


def english() -> set[str]:
    """Every text of the terminal that has to be said in other languages."""
    texts = Texts()
    texts.feed(PAGE)
    found = texts.found - NAMES
    for path in MODULES:
        if not path.name.startswith("words-"):
            found |= set(re.findall(rf"\bt\(\s*{STRING}", path.read_text("utf-8")))
    # Tables from codes to sentences: each is said by its code.
    words = (WEB_ROOT / "terminal" / "words.js").read_text("utf-8")
    sentences = re.findall(STRING, words[words.index("const BY_MESSAGE") : words.index("const FIELDS")])
    found |= {text for text in sentences if re.match(r"[A-Z].* .*\.$", text)}
    for name in ("FIELDS", "STATUSES", "TYPES"):
        table = words[words.index(f"const {name} = {{") :]
        found |= set(re.findall(rf": {STRING}", table[: table.index("};")]))
    return found | {"weak", "fair", "strong", "The form"}


@pytest.mark.parametrize("code", ["de", "es", "zh"])
def test_every_text_is_said_in_every_language(code: str) -> None:
    said: dict[str, str] = {}
    for name in (f"words-{code}.js", f"words-{code}-more.js"):
        pairs = re.findall(
            rf"^  {STRING}: {STRING},$", (WEB_ROOT / "terminal" / name).read_text("utf-8"), re.M
        )
        assert len(pairs) > 150
        assert not said.keys() & {text for text, _ in pairs}
        said |= dict(pairs)
    assert english() - said.keys() == set()
    assert said.keys() - english() == set(), "nobody says these any more"
    for text, other in said.items():
        assert other.strip() != "", text
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", other)), text
        # A sentence stays one, and a part of one stays a part.
        assert text.endswith(".") == other.endswith((".", "\N{IDEOGRAPHIC FULL STOP}")), text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_sentence_is_said_past_the_words(path: Path) -> None:
    """What is a sentence, and not a text to translate, would be English for everybody."""
    if path.name.startswith("words"):
        return
    text = re.sub(r"(?m)^\s*(?://|\*|/\*).*$", "", path.read_text("utf-8"))
    text = re.sub(rf"\bt\(\s*{STRING}", "", text)
    text = re.sub(r"\b(?:console\.\w+|new Error|new DecimalError)\([^)]*\)", "", text)
    assert re.findall(r'["`]([^"`\n]*[A-Za-z]+ [a-z]+[^"`\n]*[.?!…])["`]', text) == []


def test_what_the_first_load_says_is_in_its_own_words() -> None:
    """Words that come later are said by parts that wait for them."""
    texts = set()
    for name in imported("app.js"):
        texts |= set(re.findall(rf"\bt\(\s*{STRING}", (WEB_ROOT / "terminal" / name).read_text("utf-8")))
    page = Texts()
    page.feed(PAGE)
    words = (WEB_ROOT / "terminal" / "words-de.js").read_text("utf-8")
    assert texts | (page.found - NAMES) <= set(re.findall(rf"^  {STRING}: ", words, re.MULTILINE))


def test_others_work_is_what_their_package_has() -> None:
    for name, (_, digest) in VENDORED.items():
        assert hashlib.sha256((WEB_ROOT / "terminal" / name).read_bytes()).hexdigest() == digest


def test_every_region_that_scrolls_has_a_name_and_the_page_a_first_heading() -> None:
    assert len(re.findall(r"<h1[ >]", PAGE)) == 1
    scrolled = re.findall(r'<(?:div|dl)[^>]*class="(?:rows|figures)"[^>]*>', PAGE)
    assert len(scrolled) == 2
    assert all('tabindex="0"' in tag and "aria-label=" in tag for tag in scrolled)
