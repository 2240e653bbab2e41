"""Mails of a local exchange: they lie in its folder instead of being sent, and are shown to its owner."""

from email import message_from_bytes, policy
from pathlib import Path

__all__ = ["folder_of_mails", "mails_of", "shown"]


def folder_of_mails(state: Path) -> Path:
    """Where the mails of an exchange with this state are."""
    return state / "mails"


def mails_of(data_dir: Path) -> list[Path]:
    """All mails of the exchange in this folder, of either mode, the newest last. Raises OSError."""
    found = [
        mail for mode in ("embedded", "stack") for mail in folder_of_mails(data_dir / mode).glob("*.eml")
    ]
    return sorted(found, key=lambda mail: mail.stat().st_mtime_ns)


def shown(mails: list[Path]) -> list[str]:
    """Mails as text. Raises OSError."""
    lines = []
    for path in mails:
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        body = mail.get_body()
        text = "" if body is None else str(body.get_content()).strip()
        lines.append(f"{mail['Date']}  to {mail['To']}\n{mail['Subject']}\n{text}\n")
    return lines
