"""How a person calls this program: by `make` in a checkout, or by the installed command."""

import os
import sys
from pathlib import Path
from typing import Final

__all__ = ["COMMAND", "again", "call", "data_dir_default", "install", "is_installed_command"]

COMMAND: Final = "exchange"


def is_installed_command() -> bool:
    """Whether this process was started as `exchange ...` and not as `python -m local ...`."""
    return Path(sys.argv[0]).name == COMMAND


def call(mode: str) -> str:
    """`make run`, or `exchange run`."""
    return f"{COMMAND if is_installed_command() else 'make'} {mode}"


def again(command: str, *, port: int, data_dir: str = "") -> str:
    """The same `command` (from `call`) with another port, and perhaps another folder, to be pasted."""
    if command.startswith(f"{COMMAND} "):
        return f"{command} --port {port}" + (f" --data-dir {data_dir}" if data_dir else "")
    return f"{command} PORT={port}" + (f" DATA_DIR={data_dir}" if data_dir else "")


def install(extra: str) -> str:
    """What to do when the packages of an extra of pyproject.toml are missing."""
    return f"install the wheel with its extra [{extra}]" if is_installed_command() else "run `make setup`"


def data_dir_default() -> str:
    """Beside the checkout's sources; of an installed program where the user's other programs keep theirs."""
    if not is_installed_command():
        return ".data"
    base = os.environ.get("XDG_DATA_HOME")
    return str((Path(base) if base else Path.home() / ".local" / "share") / COMMAND)
