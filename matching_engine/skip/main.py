"""Sign and send the order to go past one command: `python -m matching_engine.skip.main --help`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from exchange.adapters.chosen.command_log import open_command_log
from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import SkipCommand
from exchange.process.config import Settings
from exchange.process.frame import run_until_signal
from matching_engine.poison import sign_skip

__all__ = ["main"]


def main(
    offset: Annotated[int, typer.Option(min=0, help="The command record, as the engine's /readyz says")],
    index: Annotated[int, typer.Option(min=0, help="The command within the record")],
    key: Annotated[Path, typer.Option(exists=True, help="The operator's Ed25519 private key, PEM")],
    log: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="commands.log of a stopped `make run`, for Kafka's"),
    ] = None,
) -> None:
    """Append the signed order to go past one command to the command log."""
    private_key = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private_key, Ed25519PrivateKey):
        raise typer.BadParameter("not an Ed25519 private key", param_hint="--key")
    settings = Settings.load()
    order = sign_skip(private_key, settings.shard, offset, index)
    sys.exit(run_until_signal(_append(settings, log, order)))


async def _append(settings: Settings, file: Path | None, order: SkipCommand) -> None:
    async with open_command_log(settings, file) as command_log:
        writer = await command_log.writer()
        try:
            await writer.append(encode_commands([order]))
        finally:
            await writer.close()


if __name__ == "__main__":
    typer.run(main)
