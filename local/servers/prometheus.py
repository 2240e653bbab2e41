"""Prometheus, where the machine has it: the alerts over the figures of a stack's processes, in a browser.

No package of Python carries it; Linux distributions do. An exchange needs it for nothing.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.servers.process import Command, ManagedProcess, Progress, port_answers, silent

__all__ = ["NAME", "Server", "configuration", "is_there", "start"]

NAME = "prometheus"
_KEPT = ("--storage.tsdb.retention.time=2d", "--storage.tsdb.retention.size=256MB")


@dataclass(frozen=True, slots=True)
class Server:
    """A running Prometheus; `url` has no slash at its end."""

    url: str
    process: ManagedProcess

    async def stop(self, deadline_s: float = 10.0) -> None:
        """SIGTERM; SIGKILL after `deadline_s` seconds."""
        await self.process.stop(deadline_s)


def is_there() -> bool:
    """Whether the machine has the program."""
    return shutil.which(NAME) is not None


def configuration(ports: Mapping[str, int], alerts: Path) -> str:
    """Its file: the processes by name, each at its port of 127.0.0.1, and the rules of `alerts`."""
    targets = "\n".join(
        f"      - targets: [127.0.0.1:{port}]\n        labels: {{process: {name}}}"
        for name, port in ports.items()
    )
    return (
        "global: {scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}\n"
        f"rule_files: ['{alerts}']\n"
        f"scrape_configs:\n  - job_name: exchange\n    static_configs:\n{targets}\n"
    )


async def start(
    data_dir: Path,
    port: int,
    config: str,
    *,
    deadline_s: float = 30.0,
    on_progress: Progress = silent,
) -> Server:
    """Starts it on 127.0.0.1:`port` with `config`, the text of its file.

    Two days are kept in `data_dir`/prometheus. Raises ServerError when it does not start in time.
    """
    folder = data_dir.resolve() / NAME
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(config, "utf-8")
    on_progress(f"prometheus on port {port} ...")
    program = shutil.which(NAME) or NAME
    argv = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", *_KEPT]
    argv.append(f"--web.listen-address=127.0.0.1:{port}")
    command = Command(argv, program=NAME, marker=str(folder), working_dir=folder)
    process = await ManagedProcess.start(NAME, data_dir, command)
    await process.wait_ready(lambda: port_answers(port), deadline_s)
    return Server(f"http://127.0.0.1:{port}", process)
