"""The engine's two builds: plain Python, and the same files compiled by mypyc (ADR 0002).

`activate()` comes before anything imports the engine or the contracts. The compiled build lives in
the user's cache folder under a name that its sources, Python and mypy determine, so that it is made
once and can never be stale; the checkout gets no build results. What could not be compiled is remembered
there, too: no start waits for it again. Run `python -m matching_engine.build` to make it beforehand, to try
again, and to see which build would run.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["BuildError", "BuildInfo", "activate", "active_build", "can_compile"]

Mode = Literal["auto", "compiled", "interpreted"]
MODES: Final = ("auto", "compiled", "interpreted")
# Several times what a machine of one's own needs, for it may be busy; one that emulates another needs more.
COMPILE_DEADLINE_S: Final = 600.0
_STOP_POLL_S: Final = 0.2
_SAY_EVERY_S: Final = 15.0
# In the cache, with the build's key behind it: why it could not be made.
_FAILED: Final = "not-compiled-"
_LOCK_POLL_S: Final = 0.2
_OUTPUT_LINES_SHOWN: Final = 15
_LAYOUT: Final = "4"  # part of the key: raise it when this file builds differently
_COLD_HEADER: Final = "cold.h"
# Nobody outside calls a function by its name in C, so the compiler may call each directly, or inline it; what
# is called of Python is looked up when the library is loaded.
_COMPILER_FLAGS: Final = ["-fvisibility=hidden", "-fno-plt", "-include", _COLD_HEADER]
# What fails is told here, after nearly every line: code that leads to these moves out of the way of the rest.
_COLD: Final = """#include <Python.h>
void CPy_AddTraceback(const char *, const char *, int, PyObject *) __attribute__((cold));
void CPy_TypeError(const char *, PyObject *) __attribute__((cold));
void CPy_TypeErrorTraceback(const char *, const char *, int, PyObject *, const char *, PyObject *)
    __attribute__((cold));
"""
_COMPLETE: Final = "COMPLETE"
_KEPT: Final = 8  # builds of other sources: another checkout may be running one

_ROOT: Final = Path(__file__).resolve().parent.parent
_PACKAGES: Final = ("exchange.contracts", "matching_engine.core", "services.auditor.audit")
# The second opinion looks at all of a log's events again (ADR 0056); it knows nothing of the core.
_AUDITOR: Final = tuple(
    f"services/auditor/audit/{name}.py"
    for name in ("fees", "links", "orders", "outcomes", "scope", "state", "terms", "treasury")
)
_COMPILED: Final = (
    *(f"exchange/contracts/{name}.py" for name in (
        "chain", "codes", "commands", "event_unpacking", "events", "fee_commands", "fee_events",
        "fee_packing", "filter_commands", "filter_events", "message_pack", "order_commands", "order_events",
        "order_packing", "packing", "unpacking",
    )),
    *(f"matching_engine/core/{name}.py" for name in (
        "accounts", "administration", "amending", "attendance", "book", "cancelling", "charging", "draft",
        "engine", "engine_limits", "engine_state", "fee_table", "fees", "filter_changes", "filter_state",
        "filtering", "filters", "follow_ups", "funding", "id_window", "invariants", "ladder", "list_rules",
        "market", "matching", "naive_book", "order", "order_table", "placing", "position", "retiring",
        "rules", "rules_version", "shard", "state", "survey", "terms_rules", "terms_state", "trading",
        "trailing", "treasury", "waiting", "working",
    )),
    *_AUDITOR,
)  # fmt: skip
# Read by the compiler for its types, but not compiled.
_INTERPRETED: Final = (
    "exchange/__init__.py",
    "exchange/contracts/__init__.py",
    "exchange/contracts/codec.py",
    "exchange/contracts/fields.py",
    "exchange/contracts/filter_kinds.py",
    "exchange/contracts/limits.py",
    "exchange/contracts/plain_packing.py",
    "exchange/contracts/tables.py",
    "matching_engine/__init__.py",
    "matching_engine/core/__init__.py",
    "services/__init__.py",
    "services/auditor/__init__.py",
    "services/auditor/audit/__init__.py",
)


class BuildError(Exception):
    """The compiled build was asked for and cannot be had; says why."""


class _FailedError(BuildError):
    """It cannot be compiled here, or not in that time: worth remembering."""


@dataclass(frozen=True)
class BuildInfo:
    """Which build runs, why, and where it is (None: in the checkout)."""

    kind: Literal["compiled", "interpreted"]
    reason: str
    folder: Path | None = None

    def __str__(self) -> str:
        return f"engine: {self.kind} ({self.reason})"


def activate(
    mode: str = "auto",
    deadline_s: float = COMPILE_DEADLINE_S,
    *,
    stop: threading.Event | None = None,
    is_asked_again: bool = False,
) -> BuildInfo:
    """Choose the build that the next import of the engine gets. Raises BuildError or ValueError.

    `auto`: compiled where a C compiler is there, else interpreted, with the reason. Called again, or
    after the engine was imported, it reports what runs and refuses to promise anything else. Compiling,
    and waiting for another process that compiles, ends after `deadline_s` seconds, or when `stop` is set.

    What could not be compiled is remembered, and not tried at every start: `compiled` tries again, and so
    does `is_asked_again`, which is how `python -m matching_engine.build` calls it.
    """
    if mode not in MODES:
        raise ValueError(f"engine build {mode!r} is none of {', '.join(MODES)}")
    if any(_module_name(path) in sys.modules for path in _COMPILED):
        running = active_build()
        if mode not in ("auto", running.kind):
            raise BuildError(f"the {running.kind} engine was imported before the {mode} one was chosen")
        return running
    if mode == "interpreted":
        return BuildInfo("interpreted", "as asked for")
    try:
        folder = _built(deadline_s, stop or threading.Event(), is_asked_again or mode == "compiled")
    except BuildError as error:
        if mode == "compiled":
            raise BuildError(str(error)) from None
        return BuildInfo("interpreted", str(error))
    _put_on_path(folder)
    return BuildInfo("compiled", "mypyc", folder)


def active_build() -> BuildInfo:
    """Which build the imported engine is; imports it when nobody has yet."""
    file = importlib.import_module("matching_engine.core.engine").__file__
    path = Path(file or "")
    if path.suffix == ".py":
        return BuildInfo("interpreted", "imported from the checkout")
    return BuildInfo("compiled", "mypyc", path.parent.parent)


def can_compile() -> str | None:
    """None where a C compiler and mypyc are there, else what is missing."""
    compiler = (os.environ.get("CC") or str(sysconfig.get_config_var("CC") or "cc")).split()[0]
    if shutil.which(compiler) is None:
        return f"no C compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "no Python.h: the headers of this Python are not installed"
    for name in ("mypy", "setuptools"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return f"{name} is not installed"
    return None


def _built(deadline_s: float, stop: threading.Event, is_asked_again: bool) -> Path:
    """The folder of the compiled build, made now if need be. Raises BuildError."""
    try:
        key = _key()
        cache = _cache_folder()
        folder = cache / f"engine-{key}"
        # A build that is there needs no compiler: an image has none.
        if (folder / _COMPLETE).is_file():
            return folder
        missing = can_compile()
        if missing:
            raise BuildError(missing)
        deadline = time.monotonic() + deadline_s
        with _lock(cache / "engine.lock", deadline, stop):
            if not (folder / _COMPLETE).is_file():
                failed = cache / f"{_FAILED}{key}"
                if failed.is_file() and not is_asked_again:
                    reason = failed.read_text(encoding="utf-8").partition("\n")[0]
                    raise BuildError(f"{reason}; to try again: python -m matching_engine.build")
                try:
                    _compile(cache, folder, key, deadline, stop)
                except _FailedError as error:
                    for older in cache.glob(f"{_FAILED}*"):
                        older.unlink()
                    failed.write_text(str(error), encoding="utf-8")
                    raise
                failed.unlink(missing_ok=True)
    except importlib.metadata.PackageNotFoundError as error:
        raise BuildError(f"{error.name} is not installed") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        raise BuildError(f"the cache folder cannot be used: {error}") from error
    return folder


def _cache_folder() -> Path:
    """A folder of our own: code is loaded from it, so nobody else may write there."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "exchange"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise BuildError(f"{folder} belongs to or can be written by others")
    return folder


def _key() -> str:
    """Names a build by all that it is made of."""
    digest = hashlib.sha256()
    facts = (_LAYOUT, sys.version, str(sysconfig.get_config_var("EXT_SUFFIX")))
    versions = (importlib.metadata.version(name) for name in ("mypy", "setuptools"))
    for text in (*facts, *versions):
        digest.update(text.encode() + b"\0")
    for path in sorted((*_COMPILED, *_INTERPRETED)):
        digest.update(path.encode() + b"\0" + (_ROOT / path).read_bytes() + b"\0")
    return digest.hexdigest()


@contextlib.contextmanager
def _lock(path: Path, deadline: float, stop: threading.Event) -> Iterator[None]:
    """Hold an exclusive file lock; others that build at the same time wait and find the result."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop.is_set():
                    raise BuildError("compiling was stopped") from None
                if time.monotonic() > deadline:
                    raise BuildError("another process keeps the build lock") from None
                time.sleep(_LOCK_POLL_S)
        yield


def _compile(cache: Path, folder: Path, key: str, deadline: float, stop: threading.Event) -> None:
    """Compile a copy of the sources in a temporary folder, then move the result into place."""
    started = time.monotonic()
    limit_s = deadline - started
    print(
        f"engine: compiling with mypyc, once: a minute or two, {limit_s:.0f} s at most",
        file=sys.stderr,
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="building-", dir=cache) as temporary:
        sources, result = Path(temporary, "sources"), Path(temporary, "result")
        for path in (*_COMPILED, *_INTERPRETED):
            target = sources / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_ROOT / path, target)
        Path(sources, _COLD_HEADER).write_text(_COLD, encoding="utf-8")
        _run_compiler(sources, f"exchange_engine_{key[:16]}", deadline, stop)
        for package in _PACKAGES:
            found = list((sources / package.replace(".", "/")).glob(f"*{_suffix()}"))
            (result / package).mkdir(parents=True)
            for module in found:
                shutil.move(module, result / package / module.name)
        for module in sources.glob(f"*{_suffix()}"):
            shutil.move(module, result / module.name)
        made = sum(1 for _ in result.rglob(f"*{_suffix()}"))
        if made != len(_COMPILED) + 1:
            raise _FailedError(f"mypyc made {made} modules, not {len(_COMPILED) + 1}")
        (result / _COMPLETE).touch()
        if folder.exists():  # left without its mark by a crash
            shutil.rmtree(folder)
        result.rename(folder)
    _prune(cache)
    print(f"engine: compiled in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _prune(cache: Path) -> None:
    """Forget all but the newest builds."""
    builds = sorted(cache.glob("engine-*/"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in builds[_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def _run_compiler(sources: Path, group: str, deadline: float, stop: threading.Event) -> None:
    """Run mypyc and the C compiler in `sources`, in a process group that ends with the deadline or `stop`."""
    script = (
        "from setuptools import setup\n"
        "from mypyc.build import mypycify\n"
        f"modules = mypycify({list(_COMPILED)!r}, group_name={group!r}, debug_level='0')\n"
        "for module in modules:\n"
        f"    module.extra_compile_args += {_COMPILER_FLAGS!r}\n"
        "setup(name='engine', packages=[], ext_modules=modules,\n"
        "      script_args=['build_ext', '--inplace'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=sources,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output = _output(process, deadline, stop)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode:
        tail = "\n".join(output.splitlines()[-_OUTPUT_LINES_SHOWN:])
        raise _FailedError(f"mypyc failed:\n{tail}")


def _output(process: "subprocess.Popen[str]", deadline: float, stop: threading.Event) -> str:
    """What it prints until it ends. Raises BuildError when told to stop, _FailedError when it is late."""
    began = said = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=_STOP_POLL_S)[0]
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if stop.is_set():
            raise BuildError("compiling was stopped")
        if now > deadline:
            raise _FailedError("compiling did not end by its deadline")
        if now - said > _SAY_EVERY_S:
            said = now
            print(f"engine: compiling, {now - began:.0f} s so far", file=sys.stderr, flush=True)


def _put_on_path(folder: Path) -> None:
    """Let the packages' own names find the compiled modules first."""
    sys.path.append(str(folder))  # holds the shared library of all modules
    for package in _PACKAGES:
        importlib.import_module(package).__path__.insert(0, str(folder / package))


def _suffix() -> str:
    return str(sysconfig.get_config_var("EXT_SUFFIX"))


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m matching_engine.build", description=__doc__)
    parser.add_argument("--deadline-s", type=float, default=COMPILE_DEADLINE_S)
    chosen = parser.parse_args()
    mode = os.environ.get("EXCHANGE_ENGINE_BUILD", "auto")
    print(activate(mode, chosen.deadline_s, is_asked_again=True))
