"""What an operator of a local exchange needs: his key, the way to the exchange that runs, and its own log."""

import json
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import parse_qs, urlsplit

from exchange.process.log_lines import formatter
from local.calling import call

__all__ = [
    "door_of",
    "keep_log",
    "log_refusal",
    "operator_public_key",
    "run_admin",
    "run_operator",
    "way_to_exchange",
    "write_settings",
]

LOG_NAME: Final = "exchange.log"
# At most so much of the past, in this many files: half a day at a line a millisecond is none of its uses.
LOG_SIZE_BYTES_MAX: Final = 10 * 2**20
LOG_FILES_MAX: Final = 5
_KEY_NAME: Final = "operator.pem"
_DOOR_NAME: Final = "operator.sock"
_SETTINGS_NAME: Final = "operator.json"
_TOKEN_NAME: Final = "admin.token"
_FACTOR_NAME: Final = "admin.factor"
_SESSION_NAME: Final = "admin.session"
_ADD_DEADLINE_S: Final = 60
# Told in words on standard error already: into the log alone, and nowhere before there is one.
_refusals: Final = logging.getLogger("local.refusals")
_refusals.propagate = False
_refusals.addHandler(logging.NullHandler())


class _LogFile(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is told once, by what it stops, and not by a traceback for each line."""


def keep_log(folder: Path, name: str = LOG_NAME) -> Path:
    """Write what happens into `folder` too, while standard error keeps to warnings. Returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    handler = _LogFile(
        path, maxBytes=LOG_SIZE_BYTES_MAX, backupCount=LOG_FILES_MAX - 1, encoding="utf-8", delay=True
    )
    handler.setFormatter(formatter("text", 0))
    root = logging.getLogger()
    for other in root.handlers:
        other.setLevel(logging.WARNING)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    _refusals.addHandler(handler)
    return path


def log_refusal(sentence: str) -> None:
    """A start, or going on, was refused, and the screen says so already: a line in the log, if it is ours."""
    _refusals.error("%s", sentence)


def operator_public_key(state: Path) -> str:
    """The public half of the operator's key, PEM; the private one is made in the folder if need be."""
    # Whoever asks the exchange for something needs no key, and shall not wait for what makes them.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    path = state / _KEY_NAME
    if not path.exists():
        fresh = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_private(path, fresh)
    key = load_pem_private_key(path.read_bytes(), None)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def door_of(state: Path) -> Path:
    """Where an embedded exchange takes orders (services/operator/door.py)."""
    return state / _DOOR_NAME


def write_settings(state: Path, environment: Mapping[str, str]) -> None:
    """Keep the settings of a stack's services, which name its servers, for `make operator`."""
    # Of an embedded exchange that was killed in this folder: the stack is the one that runs there now.
    door_of(state.parent / "embedded").unlink(missing_ok=True)
    named = {name: value for name, value in environment.items() if name.startswith("EXCHANGE_")}
    _write_private(state / _SETTINGS_NAME, json.dumps(named).encode())


def way_to_exchange(data_dir: Path) -> dict[str, str]:
    """The environment in which the operator's command reaches the exchange of this folder.

    Raises FileNotFoundError when none runs there.
    """
    door = door_of(data_dir / "embedded")
    if door.exists():
        return {"OPERATOR_SOCKET": str(door)}
    settings = data_dir / "stack" / _SETTINGS_NAME
    if settings.exists():
        return dict(json.loads(settings.read_bytes()))
    raise FileNotFoundError(
        f"no exchange runs in {data_dir}: `{call('run')}` or `{call('stack')}`, or DATA_DIR="
    )


def run_operator(data_dir: Path, arguments: list[str]) -> None:
    """Be the operator's command. Raises OSError; ends the process."""
    _operate(way_to_exchange(data_dir), arguments)


def run_admin(data_dir: Path, port: int, arguments: list[str]) -> None:
    """Be the operator's command over /v1/admin: of this folder's exchange, unless a URL is named.

    Raises OSError; ends the process.
    """
    environment = {}
    if not os.environ.get("ADMIN_URL") and "--url" not in arguments:
        environment["ADMIN_URL"] = f"http://127.0.0.1:{port}"
        if not os.environ.get("ADMIN_TOKEN"):
            environment |= _own_access(data_dir)
    _operate(environment, arguments)


def _operate(environment: Mapping[str, str], arguments: list[str]) -> NoReturn:
    """In this process: another interpreter would import all of it once more."""
    from services.operator.main import cli

    os.environ.update(environment)
    cli(arguments, prog_name="operator")
    raise SystemExit(0)


def _own_access(data_dir: Path) -> dict[str, str]:
    """Of whoever owns the folder: let in by the operator's door, once; what it takes lies here."""
    environment = os.environ | way_to_exchange(data_dir)
    mode = "embedded" if "OPERATOR_SOCKET" in environment else "stack"
    token, factor, session = (data_dir / mode / name for name in (_TOKEN_NAME, _FACTOR_NAME, _SESSION_NAME))
    if not (token.exists() and factor.exists()):
        name = f"local-{secrets.token_hex(4)}"
        command = [sys.executable, "-m", "services.operator", "admins", "add", name, "--reason", "make admin"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_ADD_DEADLINE_S, check=False
        )
        if done.returncode:
            raise OSError(done.stderr.strip().removeprefix("operator: "))
        *_, uri, made = done.stdout.split()
        _write_private(factor, parse_qs(urlsplit(uri).query)["secret"][0].encode())
        _write_private(token, made.encode())
        session.unlink(missing_ok=True)
    return {
        "ADMIN_TOKEN": token.read_text().strip(),
        "ADMIN_FACTOR_FILE": str(factor),
        "ADMIN_SESSION_FILE": str(session),
    }


def _write_private(path: Path, content: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)
