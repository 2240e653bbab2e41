"""How a command of the command line gets its order carried out, wherever the exchange is."""

import asyncio
import getpass
import socket as sockets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from services.operator.asking import AskedOverHttp, ask
from services.operator.orders import (
    Answer,
    Order,
    Signed,
    decode_signed,
    encode,
)
from services.operator.tagged import OrderError

__all__ = ["HERE", "LOOK", "Account", "Reason", "Where", "Who", "fail", "order_now"]

# Reason of an order that changes nothing.
LOOK: Final = "to look"
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.")]
Who = Annotated[str, typer.Option("--who", help="Who orders it; by itself the name on this machine.")]
Account = Annotated[str, typer.Argument(help="E-mail address or number.")]
HERE: Final = f"{getpass.getuser()}@{sockets.gethostname()}"


class Where:
    """Where the exchange is: behind a door of this machine, behind an address, or this very process."""

    socket: Path | None = None
    # Of an exchange anywhere; its session is used for all orders of one command.
    http: AskedOverHttp | None = None
    # With neither, this process carries it out; main.py says by which servers. Raises OrderError.
    at_hand: Callable[[Signed], Awaitable[Answer]]


def order_now(order: Order, who: str, reason: str) -> None:
    """Hand it in and print what came of it: exit code 0 when it was done."""
    signed = Signed(order, who, reason)
    try:
        answer = asyncio.run(_carried_out(decode_signed(encode(signed))))
    except (OrderError, OSError) as error:
        fail(str(error) or type(error).__name__)
    print("\n".join(answer.lines), file=sys.stdout if answer.is_done else sys.stderr)
    if not answer.is_done:
        raise typer.Exit(1)


async def _carried_out(signed: Signed) -> Answer:
    if Where.http is not None:
        return await Where.http.ask(signed)
    if Where.socket is not None:
        return await ask(Where.socket, signed)
    return await Where.at_hand(signed)


def fail(text: str) -> NoReturn:
    print(f"operator: {text}", file=sys.stderr)
    raise typer.Exit(1)
