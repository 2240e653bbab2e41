"""`python -m local run|stack|rebuild|operator`: what the `make` targets of these names call."""

import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from exchange.ports.world import LogError
from exchange.process.frame import configure_logging, run_until_signal
from local.operating import keep_log, log_refusal, run_operator
from local.options import LocalOptions, OptionError
from local.servers import ServerError

cli = typer.Typer(add_completion=False, no_args_is_help=True, help="A whole exchange on this machine.")


@cli.command()
def run() -> None:
    """One process with an embedded log, PostgreSQL and Valkey beside it."""
    from local.embedded import run_embedded

    _until_stopped(run_embedded, log_in="embedded")


@cli.command()
def stack() -> None:
    """Every service its own process, on Apache Kafka, PostgreSQL and Valkey, behind nginx."""
    from local.stack import run_stack

    _until_stopped(run_stack)


@cli.command()
def rebuild(mode: str = "", source: str = "log", accept_loss: bool = False) -> None:
    """Tables and hot book anew from the event log; with --source archive the logs too."""
    from local.rebuilding.command import SOURCES, run_rebuild

    if source not in SOURCES:
        print(f"FROM={source}: {' or '.join(SOURCES)}", file=sys.stderr)
        raise typer.Exit(2)
    _until_stopped(lambda options: run_rebuild(options, mode, source, accept_loss=accept_loss))


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
def operator(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """The operator's command (services/operator), for the exchange that runs in DATA_DIR."""
    try:
        run_operator(LocalOptions.from_environment().data_dir, arguments or ["--help"])
    except (OptionError, OSError) as error:
        print(f"operator: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def _until_stopped(
    main: Callable[[LocalOptions], Coroutine[Any, Any, None]], log_in: str | None = None
) -> None:
    """`log_in`: the mode's folder, for a log of the process's own; the stack's services have theirs."""
    try:
        options = LocalOptions.from_environment()
    except OptionError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    configure_logging("WARNING")
    if log_in is not None:
        keep_log(options.data_dir / log_in)
    raise typer.Exit(run_until_signal(_explained(main(options))))


async def _explained(main: Coroutine[Any, Any, None]) -> None:
    """Turn what people can mend into one line instead of a traceback."""
    try:
        await main
    except* (ServerError, LogError, OSError) as group:
        for error in group.exceptions:
            print(f"cannot go on: {error}", file=sys.stderr)
            log_refusal(f"cannot go on: {error}")
        raise SystemExit(1) from None


if __name__ == "__main__":
    cli()
