"""Where things lie: the cache folder, and folders that an unprivileged user can reach."""

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path

from local.servers.errors import ServerError

# Everybody may pass through it, and it survives a reboot.
_SHARED = Path("/var/tmp")


def cache_dir() -> Path:
    """The folder for what can be fetched again: $XDG_CACHE_HOME/exchange, or ~/.cache/exchange."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(base) if base else Path.home() / ".cache") / "exchange"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_root() -> bool:
    """Whether this process may read and write everything."""
    return os.geteuid() == 0


def unprivileged_uid() -> int:
    """The user that servers which refuse root run as, when we are root: `nobody`, which every system has."""
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        raise ServerError("this system has no user `nobody`: run as an ordinary user instead") from None


def reachable_by(uid: int, path: Path) -> bool:
    """Whether `uid`, as the owner or as others, may pass through every folder above `path`."""
    return all(_may_enter(uid, parent) for parent in path.resolve().parents)


def _may_enter(uid: int, folder: Path) -> bool:
    status = folder.stat()
    bit = stat.S_IXUSR if status.st_uid == uid else stat.S_IXOTH
    return bool(status.st_mode & bit)


def readable_copy(source: Path, parts: list[str], key: str) -> Path:
    """Copies `source`/<each of `parts`> once to /var/tmp/exchange-<hash of key>, which everybody can read.

    For programs that another user has to run while the checkout lies below a folder closed to others.
    Raises ServerError when that place is taken by something that root did not make.
    """
    target = _SHARED / f"exchange-{_short_hash(key)}"
    if not target.exists():
        # In one step, so that a parallel or killed run never leaves half a copy under the final name.
        temporary = Path(tempfile.mkdtemp(prefix=".exchange-", dir=_SHARED))
        for part in parts:
            shutil.copytree(source / part, temporary / part, symlinks=True)
        _open_to_all(temporary)
        try:
            temporary.rename(target)
        except OSError:
            shutil.rmtree(temporary)
    status = target.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ServerError(f"{target} was not made by this user: remove it")
    return target


def _open_to_all(root: Path) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644)


def home_for(uid: int | None, data_dir: Path, name: str) -> Path:
    """The folder for a server's state: `data_dir`/<name>, if the user that runs the server can reach it.

    Otherwise (root's checkout below /root, a server that refuses root) a folder /var/tmp/exchange-<hash>-*,
    whose path is kept in `data_dir`/<name>.location. Removing `data_dir` thus forgets the state in both
    cases, and what was forgotten is cleared when a new place is made.
    """
    own = data_dir / name
    location = data_dir / f"{name}.location"
    if location.exists():
        return _kept_place(location, data_dir)
    own.mkdir(parents=True, exist_ok=True)
    if uid is None:
        return own
    own.chmod(0o711)
    if reachable_by(uid, own):
        return own
    if any(own.iterdir()):
        raise ServerError(f"{own} is closed to `nobody`, which has to run {name}: open the folders above it")
    own.rmdir()
    prefix = f"exchange-{_short_hash(str(own))}-"
    for forgotten in _SHARED.glob(f"{prefix}*"):
        if forgotten.lstat().st_uid == os.geteuid() and not forgotten.is_symlink():
            shutil.rmtree(forgotten)
    place = Path(tempfile.mkdtemp(prefix=prefix, dir=_SHARED))
    place.chmod(0o711)
    # In one step: half a path would name another folder.
    draft = location.with_suffix(".new")
    draft.write_text(f"{place}\n")
    os.replace(draft, location)
    return place


def _kept_place(location: Path, data_dir: Path) -> Path:
    kept = Path(location.read_text().strip())
    if kept.is_absolute() and kept.is_dir() and not kept.is_symlink() and kept.stat().st_uid == os.geteuid():
        return kept
    raise ServerError(
        f"{location} names {kept}, where there is no data: bring it back, or start anew with another "
        f"DATA_DIR= (or without {data_dir})"
    )


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
