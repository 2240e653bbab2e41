"""The command line's words for orders about markets."""

from pathlib import Path
from typing import Annotated, Final

import typer

from services.operator.markets.orders import (
    ChangeFilter,
    CountTiers,
    ListFees,
    RetireMarket,
    SetDiscount,
    SetFees,
    SetTier,
    ShowFilters,
)
from services.operator.ordering import HERE, LOOK, Reason, Who, fail, order_now
from services.operator.orders import (
    MODES,
    AddMarkets,
    ListMarkets,
    SetMode,
)

__all__ = ["of_fees", "of_markets"]

of_markets: Final = typer.Typer(no_args_is_help=True, help="Markets: which there are, and what they take.")
of_fees: Final = typer.Typer(no_args_is_help=True, help="Tiers of fees, and the asset that lessens them.")


@of_markets.command("list")
def list_markets() -> None:
    """Which markets there are, and in which mode."""
    order_now(ListMarkets(), HERE, LOOK)


@of_markets.command("add")
def add_markets(
    file: Annotated[Path, typer.Argument(help="As matching_engine/markets.toml.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """Register the assets and markets of FILE that there are not yet; they trade at once."""
    # Other commands need none of it, and shall not wait for it.
    from rich.console import Console
    from rich.progress import Progress

    from exchange.trading.markets_file import MarketsFileError, portions

    try:
        parts = portions(file.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except (UnicodeError, MarketsFileError) as error:
        fail(f"{file}: {error}")
    if len(parts) == 1:
        order_now(AddMarkets(parts[0]), who, reason)
        return
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as progress:
        for part in progress.track(parts, description=file.name):
            order_now(AddMarkets(part), who, reason)


def _mode_command(word: str, help_text: str) -> None:
    def command(
        symbol: Annotated[str, typer.Argument(help="A market, or ALL.")], reason: Reason, who: Who = HERE
    ) -> None:
        order_now(SetMode(symbol.upper(), word), who, reason)

    of_markets.command(word, help=help_text)(command)


for _word, _text in (
    ("halt", "Nothing: no orders, no cancels."),
    ("cancel-only", "Cancels alone: people can take risk away."),
    ("post-only", "Orders that rest, and cancels: a book before it trades."),
    ("reopen", "Trading."),
):
    assert _word in MODES
    _mode_command(_word, _text)


@of_markets.command("retire")
def retire_market(
    symbol: Annotated[str, typer.Argument(help="A market.")], reason: Reason, who: Who = HERE
) -> None:
    """End a market for good: its open orders are cancelled, a bounded number at a time, and none follow."""
    order_now(RetireMarket(symbol.upper()), who, reason)


@of_markets.command("filters")
def show_filters(
    symbol: Annotated[str, typer.Argument(help="A market, or ALL: of the exchange and its assets.")],
) -> None:
    """The filters of a market, as its orders meet them now."""
    order_now(ShowFilters(symbol.upper()), HERE, LOOK)


@of_markets.command("filter")
def change_filter(
    symbol: Annotated[str, typer.Argument(help="A market; ALL for EXCHANGE_…; an asset for MAX_ASSET.")],
    name: Annotated[str, typer.Argument(help="Its filterType, as PRICE_FILTER.")],
    values: Annotated[list[str], typer.Argument(help="As tickSize=0.05; others stay. Or: off.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """Change a filter while the market trades; orders that are open keep what they have."""
    parts = {} if values == ["off"] else dict(_pair(value) for value in values)
    order_now(ChangeFilter(symbol.upper(), name.upper(), parts), who, reason)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        fail(f"{text} is not name=value")
    return name, value


@of_markets.command("fees")
def set_fees(
    symbol: Annotated[str, typer.Argument(help="A market.")],
    maker: Annotated[str, typer.Argument(help="Of what a maker receives: 0.001 is a thousandth.")],
    taker: Annotated[str, typer.Argument(help="Of what a taker receives.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """Every trade from now on pays these fees, of orders that rest already too."""
    order_now(SetFees(symbol.upper(), maker, taker), who, reason)


@of_fees.command("list")
def list_fees() -> None:
    """What markets take, which tiers there are and how many accounts are in them, and the discount."""
    order_now(ListFees(), HERE, LOOK)


@of_fees.command("tier")
def set_tier(
    tier: Annotated[int, typer.Argument(min=1, help="Its number; the higher, the more it asks for.")],
    asset: Annotated[str, typer.Argument(help="In which the volume is counted.")],
    volume: Annotated[str, typer.Argument(help="Traded within 30 days; 0 ends the tier.")],
    maker: Annotated[str, typer.Argument(help="Of a market's maker fee: 0.9 is nine tenths.")],
    taker: Annotated[str, typer.Argument(help="Of a market's taker fee.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """What accounts of a tier pay of every market's fees; `fees count` says who is in it."""
    order_now(SetTier(tier, asset.upper(), volume, maker, taker), who, reason)


@of_fees.command("count")
def count_tiers(reason: Reason, who: Who = HERE) -> None:
    """Put every account into the tier that its trades of 30 days ask for: at once, not once a day."""
    order_now(CountTiers(), who, reason)


@of_fees.command("discount")
def set_discount(
    asset: Annotated[str, typer.Argument(help="Its code, or NONE.")],
    less: Annotated[str, typer.Argument(help="How much of the fee is saved: 0.25 is a quarter.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """In which asset fees may be paid, by who has switched it on (POST /sapi/v1/bnbBurn)."""
    order_now(SetDiscount(asset.upper(), less), who, reason)
