"""The operator's command line: `python -m services.operator --help`.

Orders go to the logs and the database that the settings name, or, with --socket, to an exchange that keeps
its logs to itself. Where: in a pod that has the settings of a service, or `make operator` beside a local one.
"""

import asyncio
import getpass
import os
import socket as sockets
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.console import Console
from rich.progress import Progress

from exchange.process.config import Settings, SettingsError
from exchange.process.connections import CONNECTION_ERRORS
from exchange.process.frame import configure_logging
from exchange.security.skip_order import sign_skip
from exchange.trading.markets_file import MarketsFileError, portions
from services.operator.administrators import new_token
from services.operator.asking import ask, ask_url
from services.operator.orders import (
    MODES,
    ActivateTheRules,
    AddAdministrator,
    AddMarkets,
    AdjustBalance,
    Answer,
    CancelOrders,
    ClearBreach,
    CountTiers,
    FindAccounts,
    FreezeAccount,
    ListAdministrators,
    ListBreaches,
    ListFees,
    ListMarkets,
    ListWithdrawals,
    Order,
    OrderError,
    RevokeAdministrator,
    SetDiscount,
    SetFees,
    SetMode,
    SetTier,
    ShowAccount,
    ShowReaders,
    Signed,
    SkipOne,
    UnfreezeAccount,
    decode_signed,
    encode,
)

__all__ = ["cli"]

_LOOK: Final = "to look"
_FAILURES: Final[tuple[type[BaseException], ...]] = (OrderError, SettingsError, *CONNECTION_ERRORS)

cli: Final = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
_markets: Final = typer.Typer(no_args_is_help=True, help="Markets: which there are, and what they take.")
_rules: Final = typer.Typer(no_args_is_help=True, help="The engine's rules.")
_admins: Final = typer.Typer(no_args_is_help=True, help="Who may order over HTTP (/v1/admin).")
_account: Final = typer.Typer(no_args_is_help=True, help="What leaves an account.")
_fees: Final = typer.Typer(no_args_is_help=True, help="Fees: tiers of them, and the asset that lessens them.")
_breaches: Final = typer.Typer(no_args_is_help=True, help="What the auditor found.")
for _name, _group in (
    ("markets", _markets), ("rules", _rules), ("account", _account), ("breaches", _breaches),
    ("admins", _admins), ("fees", _fees),
):  # fmt: skip
    cli.add_typer(_group, name=_name)

Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.")]
Who = Annotated[str, typer.Option("--who", help="Who orders it; by itself the name on this machine.")]
Account = Annotated[str, typer.Argument(help="E-mail address or number.")]
_HERE: Final = f"{getpass.getuser()}@{sockets.gethostname()}"


class _State:
    socket: Path | None = None
    url: str = ""
    token: str = ""


@cli.callback()
def _at(
    socket: Annotated[
        Path | None, typer.Option(envvar="OPERATOR_SOCKET", help="The door of an exchange on this machine.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="ADMIN_URL", help="An exchange anywhere, by /v1/admin (with ADMIN_TOKEN).")
    ] = "",
) -> None:
    _State.socket, _State.url = socket, url
    _State.token = os.environ.get("ADMIN_TOKEN", "")


@_markets.command("list")
def list_markets() -> None:
    """Which markets there are, and in which mode."""
    _order(ListMarkets(), _HERE, _LOOK)


@_markets.command("add")
def add_markets(
    file: Annotated[Path, typer.Argument(help="As matching_engine/markets.toml.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """Register the assets and markets of FILE that there are not yet; they trade at once."""
    try:
        parts = portions(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, MarketsFileError) as error:
        _fail(str(error))
    if len(parts) == 1:
        _order(AddMarkets(parts[0]), who, reason)
        return
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as progress:
        for part in progress.track(parts, description=file.name):
            _order(AddMarkets(part), who, reason)


def _mode_command(word: str, help_text: str) -> None:
    def command(
        symbol: Annotated[str, typer.Argument(help="A market, or ALL.")], reason: Reason, who: Who = _HERE
    ) -> None:
        _order(SetMode(symbol.upper(), word), who, reason)

    _markets.command(word, help=help_text)(command)


for _word, _text in (
    ("halt", "Nothing: no orders, no cancels."),
    ("cancel-only", "Cancels alone: people can take risk away."),
    ("post-only", "Orders that rest, and cancels: a book before it trades."),
    ("reopen", "Trading."),
):
    assert _word in MODES
    _mode_command(_word, _text)


@_markets.command("fees")
def set_fees(
    symbol: Annotated[str, typer.Argument(help="A market.")],
    maker: Annotated[str, typer.Argument(help="Of what a maker receives: 0.001 is a thousandth.")],
    taker: Annotated[str, typer.Argument(help="Of what a taker receives.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """Every trade from now on pays these fees, of orders that rest already too."""
    _order(SetFees(symbol.upper(), maker, taker), who, reason)


@_fees.command("list")
def list_fees() -> None:
    """What markets take, which tiers there are and how many accounts are in them, and the discount."""
    _order(ListFees(), _HERE, _LOOK)


@_fees.command("tier")
def set_tier(
    tier: Annotated[int, typer.Argument(min=1, help="Its number; the higher, the more it asks for.")],
    asset: Annotated[str, typer.Argument(help="In which the volume is counted.")],
    volume: Annotated[str, typer.Argument(help="Traded within 30 days; 0 ends the tier.")],
    maker: Annotated[str, typer.Argument(help="Of a market's maker fee: 0.9 is nine tenths.")],
    taker: Annotated[str, typer.Argument(help="Of a market's taker fee.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """What accounts of a tier pay of every market's fees; `fees count` says who is in it."""
    _order(SetTier(tier, asset.upper(), volume, maker, taker), who, reason)


@_fees.command("count")
def count_tiers(reason: Reason, who: Who = _HERE) -> None:
    """Put every account into the tier that its trades of 30 days ask for: once a day, say."""
    _order(CountTiers(), who, reason)


@_fees.command("discount")
def set_discount(
    asset: Annotated[str, typer.Argument(help="Its code, or NONE.")],
    less: Annotated[str, typer.Argument(help="How much of the fee is saved: 0.25 is a quarter.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """In which asset fees may be paid, by who has switched it on (POST /sapi/v1/bnbBurn)."""
    _order(SetDiscount(asset.upper(), less), who, reason)


@_rules.command("activate")
def activate(
    version: Annotated[int, typer.Argument(min=1, help="Of this release: every engine must run it before.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """Decide by the rules of VERSION from now on. Engines of an older release stop at it."""
    _order(ActivateTheRules(version), who, reason)


@cli.command()
def skip(
    offset: Annotated[int, typer.Argument(min=0, help="The command record, as the engine's /readyz says.")],
    index: Annotated[int, typer.Argument(min=0, help="The command within the record.")],
    key: Annotated[Path, typer.Option(help="The operator's Ed25519 private key, PEM.")],
    reason: Reason,
    who: Who = _HERE,
    shard: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Order a halted engine to go past one command, which is then refused."""
    try:
        private_key = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        _fail(f"{key}: {error}")
    if not isinstance(private_key, Ed25519PrivateKey):
        _fail(f"{key} is not an Ed25519 private key")
    _order(SkipOne(offset, index, sign_skip(private_key, shard, offset, index)), who, reason)


@_account.command("show")
def show_account(account: Account) -> None:
    """What holds an account's withdrawals back."""
    _order(ShowAccount(account), _HERE, _LOOK)


@_account.command("find")
def find_accounts(text: Annotated[str, typer.Argument(help="Part of an address, a number, a key.")]) -> None:
    """Which accounts there are like TEXT."""
    _order(FindAccounts(text), _HERE, _LOOK)


@_account.command("cancel-orders")
def cancel_orders(account: Account, reason: Reason, who: Who = _HERE) -> None:
    """Cancel every open order of the account, in all markets."""
    _order(CancelOrders(account), who, reason)


@cli.command("withdrawals")
def list_withdrawals() -> None:
    """What is reserved and has not left, the oldest first."""
    _order(ListWithdrawals(), _HERE, _LOOK)


@cli.command("readers")
def show_readers() -> None:
    """How far each reader of the event log is."""
    _order(ShowReaders(), _HERE, _LOOK)


@_account.command("freeze")
def freeze_account(account: Account, reason: Reason, who: Who = _HERE) -> None:
    """Nothing leaves the account any more; what is reserved stays reserved. Trading goes on."""
    _order(FreezeAccount(account), who, reason)


@_account.command("unfreeze")
def unfreeze_account(account: Account, reason: Reason, who: Who = _HERE) -> None:
    """End every freeze of the account at once, its owner's too: only after its owner was identified."""
    _order(UnfreezeAccount(account), who, reason)


@_account.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust_balance(
    account: Account,
    asset: Annotated[str, typer.Argument(help="Its code.")],
    amount: Annotated[str, typer.Argument(help="What to credit; below 0, what to take away.")],
    reason: Reason,
    who: Who = _HERE,
) -> None:
    """Correct a balance by a deposit, or by a withdrawal that leaves as any other."""
    _order(AdjustBalance(account, asset.upper(), amount), who, reason)


@_admins.command("list")
def list_administrators() -> None:
    """Who may order over HTTP."""
    _order(ListAdministrators(), _HERE, _LOOK)


@_admins.command("add")
def add_administrator(
    name: Annotated[str, typer.Argument(help="Small letters and digits; it stands in the audit log.")],
    reason: Reason,
    role: Annotated[str, typer.Option(help="ADMIN, or VIEWER who only looks.")] = "ADMIN",
    who: Who = _HERE,
) -> None:
    """Let somebody order over HTTP; prints his token, once, which nobody else ever knows."""
    token, token_hash = new_token()
    _order(AddAdministrator(name, role.upper(), token_hash), who, reason)
    print(token)


@_admins.command("revoke")
def revoke_administrator(name: str, reason: Reason, who: Who = _HERE) -> None:
    """He may not order any more, from his next order on."""
    _order(RevokeAdministrator(name), who, reason)


@_breaches.command("list")
def list_breaches() -> None:
    """What the auditor found and nobody has cleared."""
    _order(ListBreaches(), _HERE, _LOOK)


@_breaches.command("clear")
def clear_breach(breach_id: Annotated[int, typer.Argument(min=1)], reason: Reason, who: Who = _HERE) -> None:
    """The cause is repaired: the auditor is green after its next start, unless it finds the same again."""
    _order(ClearBreach(breach_id), who, reason)


def _order(order: Order, who: str, reason: str) -> None:
    """Hand it in and print what came of it: exit code 0 when it was done."""
    signed = Signed(order, who, reason)
    try:
        answer = asyncio.run(_carried_out(decode_signed(encode(signed))))
    except _FAILURES as error:
        _fail(str(error) or type(error).__name__)
    print("\n".join(answer.lines), file=sys.stdout if answer.is_done else sys.stderr)
    if not answer.is_done:
        raise typer.Exit(1)


async def _carried_out(signed: Signed) -> Answer:
    if _State.url:
        return await ask_url(_State.url, _State.token, signed)
    if _State.socket is not None:
        return await ask(_State.socket, signed)
    # Whoever knocks at a door needs none of them: they take a second to import.
    from exchange.adapters.chosen.resources import deployed_resources
    from services.operator.desk import OperatorDesk

    settings = Settings.load()
    configure_logging("WARNING")
    async with deployed_resources(settings) as resources:
        return await OperatorDesk(resources).carry_out(signed)


def _fail(text: str) -> NoReturn:
    print(f"operator: {text}", file=sys.stderr)
    raise typer.Exit(1)
