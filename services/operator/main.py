"""The operator's command line: `python -m services.operator --help`.

Orders go to the logs and the database that the settings name, or, with --socket, to an exchange that keeps
its logs to itself. Where: in a pod that has the settings of a service, or `make operator` beside a local one.
"""

import base64
import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from services.operator.asking import AskedOverHttp
from services.operator.markets.commands import of_fees, of_markets
from services.operator.ordering import HERE, LOOK, Account, Reason, Where, Who, fail, order_now
from services.operator.orders import (
    ActivateTheRules,
    AddAdministrator,
    AdjustBalance,
    Answer,
    CancelOrders,
    ClearBreach,
    FindAccounts,
    FreezeAccount,
    ListAdministrators,
    ListAnomalies,
    ListBreaches,
    ListFreezes,
    ListWithdrawals,
    RenewFactor,
    RevokeAdministrator,
    SearchAuditLog,
    ShowAccount,
    ShowReaders,
    ShowWithdrawalStop,
    Signed,
    SkipOne,
    UnfreezeAccount,
)
from services.operator.tagged import OrderError

__all__ = ["cli"]

cli: Final = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
_rules: Final = typer.Typer(no_args_is_help=True, help="The engine's rules.")
_admins: Final = typer.Typer(no_args_is_help=True, help="Who may order over HTTP (/v1/admin).")
_account: Final = typer.Typer(
    no_args_is_help=True, help="Accounts: find, show, freeze, adjust, cancel what they have open."
)
_breaches: Final = typer.Typer(no_args_is_help=True, help="What the auditor found.")
for _name, _group in (
    ("markets", of_markets), ("rules", _rules), ("account", _account), ("breaches", _breaches),
    ("admins", _admins), ("fees", of_fees),
):  # fmt: skip
    cli.add_typer(_group, name=_name)


@cli.callback()
def _at(
    socket: Annotated[
        Path | None, typer.Option(envvar="OPERATOR_SOCKET", help="The door of an exchange on this machine.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="ADMIN_URL", help="An exchange anywhere, by /v1/admin (with ADMIN_TOKEN).")
    ] = "",
) -> None:
    Where.socket, Where.at_hand = socket, _carried_out_here
    if url:
        kept = os.environ.get("ADMIN_SESSION_FILE")
        token = os.environ.get("ADMIN_TOKEN", "")
        Where.http = AskedOverHttp(url, token, _code, Path(kept) if kept else None)


async def _carried_out_here(signed: Signed) -> Answer:
    # Whoever knocks at a door needs none of them: they take a second to import, here as in the orders below.
    from exchange.adapters.chosen.resources import deployed_resources
    from exchange.process.config import Settings, SettingsError
    from exchange.process.connections import CONNECTION_ERRORS
    from exchange.process.frame import configure_logging
    from services.operator.desk import OperatorDesk

    configure_logging("WARNING")
    try:
        async with deployed_resources(Settings.load()) as resources:
            return await OperatorDesk(resources).carry_out(signed)
    except SettingsError as error:
        raise OrderError(str(error)) from error
    except CONNECTION_ERRORS as error:
        raise OrderError(str(error) or type(error).__name__) from error


def _code() -> str:
    """Six digits: of a secret that a file has (of a local exchange's owner), else of whoever sits here."""
    file = os.environ.get("ADMIN_FACTOR_FILE")
    if file:
        from exchange.security.one_time_codes import STEP_S, totp_code

        secret = base64.b32decode(Path(file).read_text("ascii").strip())
        return totp_code(secret, time.time_ns() // (STEP_S * 10**9))
    return os.environ.get("ADMIN_CODE") or str(typer.prompt("code of the authenticator", err=True))


@_rules.command("activate")
def activate(
    version: Annotated[int, typer.Argument(min=1, help="Of this release: every engine must run it before.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """Decide by the rules of VERSION from now on. Engines of an older release stop at it."""
    order_now(ActivateTheRules(version), who, reason)


@cli.command()
def skip(
    offset: Annotated[int, typer.Argument(min=0, help="The command record, as the engine's /readyz says.")],
    index: Annotated[int, typer.Argument(min=0, help="The command within the record.")],
    key: Annotated[Path, typer.Option(help="The operator's Ed25519 private key, PEM.")],
    reason: Reason,
    who: Who = HERE,
    shard: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Order a halted engine to go past one command, which is then refused."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from exchange.security.skip_order import sign_skip

    try:
        private_key = load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        fail(f"{key}: {error}")
    if not isinstance(private_key, Ed25519PrivateKey):
        fail(f"{key} is not an Ed25519 private key")
    order_now(SkipOne(offset, index, sign_skip(private_key, shard, offset, index)), who, reason)


@_account.command("show")
def show_account(account: Account) -> None:
    """What holds an account's withdrawals back."""
    order_now(ShowAccount(account), HERE, LOOK)


@_account.command("find")
def find_accounts(text: Annotated[str, typer.Argument(help="Part of an address, a number, a key.")]) -> None:
    """Which accounts there are like TEXT."""
    order_now(FindAccounts(text), HERE, LOOK)


@_account.command("cancel-orders")
def cancel_orders(account: Account, reason: Reason, who: Who = HERE) -> None:
    """Cancel every open order of the account, in all markets."""
    order_now(CancelOrders(account), who, reason)


@cli.command("withdrawals")
def list_withdrawals() -> None:
    """What is reserved and has not left, the oldest first."""
    order_now(ListWithdrawals(), HERE, LOOK)


@cli.command("stop")
def show_withdrawal_stop() -> None:
    """Whether money may leave at all now."""
    order_now(ShowWithdrawalStop(), HERE, LOOK)


@cli.command("freezes")
def list_freezes() -> None:
    """Which accounts are frozen, and by whom."""
    order_now(ListFreezes(), HERE, LOOK)


@cli.command("anomalies")
def list_anomalies() -> None:
    """What is unusual in the events: what is open, then what is over, the newest first."""
    order_now(ListAnomalies(), HERE, LOOK)


@cli.command("audit-log")
def search_audit_log(
    text: Annotated[str, typer.Argument(help="What stands somewhere in a row; nothing for all.")] = "",
    before: Annotated[int, typer.Option(min=0, help="Rows older than this one.")] = 0,
) -> None:
    """Rows of the audit log that have TEXT, the newest first."""
    order_now(SearchAuditLog(text, before), HERE, LOOK)


@cli.command("readers")
def show_readers() -> None:
    """How far each reader of the event log is."""
    order_now(ShowReaders(), HERE, LOOK)


@_account.command("freeze")
def freeze_account(account: Account, reason: Reason, who: Who = HERE) -> None:
    """Nothing leaves the account any more; what is reserved stays reserved. Trading goes on."""
    order_now(FreezeAccount(account), who, reason)


@_account.command("unfreeze")
def unfreeze_account(account: Account, reason: Reason, who: Who = HERE) -> None:
    """End every freeze of the account at once, its owner's too: only after its owner was identified."""
    order_now(UnfreezeAccount(account), who, reason)


@_account.command("adjust", context_settings={"ignore_unknown_options": True})
def adjust_balance(
    account: Account,
    asset: Annotated[str, typer.Argument(help="Its code.")],
    amount: Annotated[str, typer.Argument(help="What to credit; below 0, what to take away.")],
    reason: Reason,
    who: Who = HERE,
) -> None:
    """Correct a balance by a deposit, or by a withdrawal that leaves as any other."""
    order_now(AdjustBalance(account, asset.upper(), amount), who, reason)


@_admins.command("list")
def list_administrators() -> None:
    """Who may order over HTTP."""
    order_now(ListAdministrators(), HERE, LOOK)


@_admins.command("add")
def add_administrator(
    name: Annotated[str, typer.Argument(help="Small letters and digits; it stands in the audit log.")],
    reason: Reason,
    role: Annotated[str, typer.Option(help="ADMIN, or VIEWER who only looks.")] = "ADMIN",
    who: Who = HERE,
) -> None:
    """Let somebody order over HTTP; prints his authenticator's address and his token, once."""
    from services.operator.administrators import new_factor, new_token

    token, token_hash = new_token()
    secret, uri = new_factor(name)
    order_now(AddAdministrator(name, role.upper(), token_hash, secret), who, reason)
    print(uri)
    print(token)


@_admins.command("factor")
def renew_factor(name: str, reason: Reason, who: Who = HERE) -> None:
    """Give him another authenticator, whose address is printed, once; his sessions end."""
    from services.operator.administrators import new_factor

    secret, uri = new_factor(name)
    order_now(RenewFactor(name, secret), who, reason)
    print(uri)


@_admins.command("revoke")
def revoke_administrator(name: str, reason: Reason, who: Who = HERE) -> None:
    """He may not order any more, from his next order on."""
    order_now(RevokeAdministrator(name), who, reason)


@_breaches.command("list")
def list_breaches() -> None:
    """What the auditor found and nobody has cleared."""
    order_now(ListBreaches(), HERE, LOOK)


@_breaches.command("clear")
def clear_breach(breach_id: Annotated[int, typer.Argument(min=1)], reason: Reason, who: Who = HERE) -> None:
    """The cause is repaired: the auditor is green after its next start, unless it finds the same again."""
    order_now(ClearBreach(breach_id), who, reason)
