"""Apache Kafka's Java archives: fetched once by jgo into the cache folder, checked against a lock file.

``python -m local.servers.kafka_jars`` fetches them ahead of time. It also is how `ensure` does its
work: in a process of its own, whose end can be forced at the deadline.
"""

import asyncio
import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from local.servers import places
from local.servers.errors import ServerError
from local.servers.process import Progress, silent

_LOCK_FILE = Path(__file__).with_name("kafka_jars.lock")
_TRIES = 3
_PARALLEL = 6


def _locked() -> dict[str, str]:
    """Coordinate (group:artifact:version) to SHA-256, in the file's order."""
    lines = [line.split("#")[0].split() for line in _LOCK_FILE.read_text().splitlines()]
    return {line[0]: line[1].removeprefix("sha256:") for line in lines if line}


def _folder() -> Path:
    # Named by the lock file's contents, so that a folder, once complete, never changes.
    digest = hashlib.sha256(_LOCK_FILE.read_bytes()).hexdigest()[:12]
    return places.cache_dir() / f"kafka-{digest}"


def _file_name(coordinate: str) -> str:
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"


def class_path(folder: Path) -> str:
    """Java's class path for a complete folder of archives."""
    return os.pathsep.join(str(folder / _file_name(coordinate)) for coordinate in _locked())


async def ensure(deadline_s: float = 300.0, on_progress: Progress = silent) -> Path:
    """Returns the folder with every archive, fetching them (100 MB) if this user has not got them yet.

    Raises ServerError when that fails or takes more than `deadline_s` seconds.
    """
    folder = _folder()
    if folder.is_dir():
        return folder
    on_progress("Apache Kafka: fetching its archives, 100 MB, once ...")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    last = ""
    try:
        async with asyncio.timeout(deadline_s):
            assert process.stdout is not None
            async for line in process.stdout:
                last = line.decode("utf-8", "replace").strip() or last
                on_progress(f"Apache Kafka: {last}")
            code = await process.wait()
    except TimeoutError:
        raise ServerError(
            f"fetching Kafka's archives took more than {deadline_s:g} s; last: {last}"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0 or not folder.is_dir():
        raise ServerError(f"cannot fetch Kafka's archives: {last}")
    return folder


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Holds the lock file; the kernel frees it when the process ends, however it ends."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_all() -> None:
    folder = _folder()
    with _exclusive(folder.with_suffix(".lock")):
        if folder.is_dir():
            return
        partial = folder.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        wanted = _locked()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            done = pool.map(lambda item: _fetch(partial, *item), wanted.items())
            for number, coordinate in enumerate(done, start=1):
                print(f"archive {number} of {len(wanted)}: {coordinate}", flush=True)
        partial.rename(folder)


def _fetch(folder: Path, coordinate: str, digest: str) -> str:
    """Puts one archive into `folder`; what is there already and has the right contents is kept."""
    target = folder / _file_name(coordinate)
    if _is_right(target, digest):
        return coordinate
    error: Exception | None = None
    for _ in range(_TRIES):
        try:
            os.replace(_download(coordinate), target)
        except Exception as failure:  # whatever jgo and its HTTP client raise is worth another try
            error = failure
            continue
        if _is_right(target, digest):
            return coordinate
        target.unlink()
    raise ServerError(f"{coordinate}: {error or 'its SHA-256 differs from kafka_jars.lock'}")


def _is_right(file: Path, digest: str) -> bool:
    return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


def _download(coordinate: str) -> Path:
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    # A repository folder of our own: ~/.m2 may be another tool's, or not there at all.
    context = MavenContext(repo_cache=places.cache_dir() / "maven", timeout=30)
    path = context.create_dependency(Coordinate.parse(coordinate)).artifact.resolve()
    if path is None:
        raise ServerError("not found in the repository")
    return Path(path)


if __name__ == "__main__":
    try:
        _fetch_all()
    except ServerError as error:
        sys.exit(str(error))
