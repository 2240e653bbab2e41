"""A file of as many markets as wanted: the three of a new exchange, then made-up ones."""

from matching_engine.genesis import MARKETS_FILE

__all__ = ["many_markets"]


def many_markets(markets: int, assets: int) -> str:
    """The text of a file with so many markets and assets."""
    text = MARKETS_FILE.read_text("utf-8")
    first = text.index("[[markets]]")
    template = text[first : text.index("[[markets]]", first + 1)]
    codes = [f"A{number:03}" for number in range(assets - 3)]
    made = [
        template.replace('base = "BTC"', f'base = "{code}"').replace('quote = "USDT"', f'quote = "{quote}"')
        for quote in ("USDT", "BTC", "ETH", *codes)
        for code in codes
        if code > quote or quote in ("USDT", "BTC", "ETH")
    ][: markets - 3]
    assert len(made) == markets - 3
    rows = "".join(f'[[assets]]\ncode = "{code}"\ndecimals = 8\n\n' for code in codes)
    return text[:first] + rows + text[first:] + "\n" + "".join(made)
