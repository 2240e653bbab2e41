"""The command `exchange`; in a checkout `make run` and its likes call it as `python -m local run`.

What takes long to import is imported by whoever needs it, once options, folder and port are known to be good.
"""

import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange.ports.world import LogError
from local.calling import install
from local.disk import full_disk
from local.operating import log_refusal, run_admin, run_operator
from local.options import LocalOptions, OptionError
from local.replay.prints import FileError
from local.servers import ServerError

# Whoever started it can mend it. A fault ends with 1 and a traceback.
_MENDABLE: Final = (ServerError, LogError, OSError, FileError)
_MENDABLE_CODE: Final = 2
# What the extra [stack] brings, and the light set-up does not have.
_OF_STACK: Final = "aiokafka"

cli = typer.Typer(add_completion=False, no_args_is_help=True, help="A whole exchange on this machine.")


Host = Annotated[str | None, typer.Option(help="IPv4 address to listen on; 0.0.0.0 for all. HOST=")]
Port = Annotated[str | None, typer.Option(help="The one port, 8080 by itself. PORT=")]
Folder = Annotated[str | None, typer.Option(help="The folder that holds all state. DATA_DIR=")]


@cli.command()
def run(host: Host = None, port: Port = None, data_dir: Folder = None) -> None:
    """One process with an embedded log, PostgreSQL and Valkey beside it."""
    _until_stopped(_run, _options(HOST=host, PORT=port, DATA_DIR=data_dir))


async def _run(options: LocalOptions) -> None:
    from local.starting import claim

    ground = await claim(options, "embedded")
    from local.embedded import run_embedded

    await run_embedded(options, ground)


@cli.command()
def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Binance's public files (BTCUSDT-trades-2024-05-01.zip), or LOBSTER's."),
    ],
    speed: Annotated[float, typer.Option(min=0, help="Multiple of the recorded speed; 0: no waiting.")] = 1.0,
    levels: Annotated[int, typer.Option(min=0, max=100, help="Of the book on each side of a price.")] = 5,
    seed: Annotated[int, typer.Option(help="Of what the files leave open.")] = 1,
    markets: Annotated[str | None, typer.Option(help="File of markets for a new exchange. MARKETS=")] = None,
    ends: Annotated[bool, typer.Option("--exit", help="End after the last trade.")] = False,
    summary: Annotated[Path | None, typer.Option(help="Where to write what came of it, JSON.")] = None,
    host: Host = None,
    port: Port = None,
    data_dir: Folder = None,
) -> None:
    """A recorded market traded again: `run`, with the trades of FILES at a multiple of their speed."""
    options = _options(
        HOST=host, PORT=port, DATA_DIR=data_dir, MARKETS=markets, MARKET_MAKER="0", HISTORY="0"
    )
    from local.replay.command import Wanted, run_replay

    wanted = Wanted(files, speed, seed, levels, ends, summary)
    _until_stopped(lambda options: run_replay(options, wanted), options)


@cli.command()
def stack(host: Host = None, port: Port = None, data_dir: Folder = None) -> None:
    """Every service its own process, on Apache Kafka, PostgreSQL and Valkey, behind nginx."""
    options = _options(HOST=host, PORT=port, DATA_DIR=data_dir)
    _need(_OF_STACK, "stack")
    _until_stopped(_stack, options)


async def _stack(options: LocalOptions) -> None:
    from local.starting import claim

    ground = await claim(options, "stack")
    from local.stack import run_stack

    await run_stack(options, ground)


@cli.command()
def rebuild(mode: str = "", source: str = "log", accept_loss: bool = False, data_dir: Folder = None) -> None:
    """Tables and hot book anew from the event log; with --source archive the logs too."""
    options = _options(DATA_DIR=data_dir)
    _need(_OF_STACK, "stack")
    from local.rebuilding.command import SOURCES, run_rebuild

    if source not in SOURCES:
        print(f"FROM={source}: {' or '.join(SOURCES)}", file=sys.stderr)
        raise typer.Exit(2)
    _until_stopped(lambda options: run_rebuild(options, mode, source, accept_loss=accept_loss), options)


@cli.command()
def mails(
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest last.")] = 5,
    data_dir: Folder = None,
) -> None:
    """What the exchange in DATA_DIR would have mailed: log-ins, deposits, links that set a password."""
    _set_variables(DATA_DIR=data_dir)
    from local.mails import mails_of, shown

    try:
        folder = LocalOptions.from_environment().data_dir
        if not folder.exists():
            raise OptionError(f"there is no exchange in {folder}: DATA_DIR= names another folder")
        found = shown(mails_of(folder)[-count:])
    except (OptionError, OSError) as error:
        print(f"mails: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print("\n".join(found) or "no mail yet")


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def operator(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """The operator's command (services/operator), for the exchange that runs in DATA_DIR."""
    try:
        run_operator(LocalOptions.from_environment().data_dir, arguments or ["--help"])
    except (OptionError, OSError) as error:
        print(f"operator: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def admin(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """The operator's command over HTTP (/v1/admin): for this exchange, or for any with --url."""
    try:
        options = LocalOptions.from_environment()
        run_admin(options.data_dir, options.port, arguments or ["--help"])
    except (OptionError, OSError) as error:
        print(f"admin: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _set_variables(**variables: str | None) -> None:
    """What was said on the command line holds before what the environment says."""
    os.environ.update({name: value for name, value in variables.items() if value is not None})


def _options(**variables: str | None) -> LocalOptions:
    """All options of a start; what is none is told, and ends it, before anything else is looked at."""
    _set_variables(**variables)
    try:
        return LocalOptions.from_environment()
    except OptionError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(_MENDABLE_CODE) from error


def _need(package: str, extra: str) -> None:
    """Say in one line which package a command wants that the light set-up leaves out."""
    if find_spec(package) is None:
        print(f"{package} is not installed: {install(extra)}", file=sys.stderr)
        raise typer.Exit(_MENDABLE_CODE)


def _until_stopped(main: Callable[[LocalOptions], Coroutine[Any, Any, None]], options: LocalOptions) -> None:
    from exchange.process.frame import configure_logging, run_until_signal

    configure_logging("WARNING")
    raise typer.Exit(run_until_signal(_explained(main(options), options.data_dir)))


async def _explained(main: Coroutine[Any, Any, None], data_dir: Path) -> None:
    """Turn what people can mend into one line, and an end with code 2, instead of a traceback."""
    try:
        await main
    except Exception as error:
        sentence = full_disk(error, data_dir)
        lines = [str(one) for one in _single(error)] if sentence is None else [sentence]
        if sentence is None and not all(_is_mendable(one) for one in _single(error)):
            raise
        for line in dict.fromkeys(lines):
            print(f"cannot go on: {line}", file=sys.stderr)
            log_refusal(f"cannot go on: {line}")
        raise SystemExit(_MENDABLE_CODE) from None


def _is_mendable(error: BaseException) -> bool:
    """Whether its text tells what is wrong. A missed deadline is an OSError, too, and says nothing."""
    return isinstance(error, _MENDABLE) and bool(str(error))


def _single(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, and of the groups in it."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _single(one)
    else:
        yield error


if __name__ == "__main__":
    cli()
