"""What each process of a stack uses: memory, descriptors, threads, tasks, and the size of its log."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from local.exchange_process import ExchangeProcess

__all__ = ["FIGURES", "Sampler", "metric"]

FIGURES = ("rss_bytes", "pss_bytes", "descriptors", "threads", "tasks", "log_bytes")
_SCRAPE_DEADLINE_S = 4.0
_NO_METRICS = frozenset({"kafka", "postgres", "valkey", "nginx", "stack"})


@dataclass
class Sampler:
    """Takes samples. `samples`: process -> figure -> [(seconds since the start, value)]."""

    stack: ExchangeProcess
    samples: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    scraped: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    _pids: dict[str, int] = field(default_factory=dict)
    _ports: dict[int, int] = field(default_factory=dict)
    _start_s: float = field(default_factory=time.monotonic)

    def take(self) -> None:
        """One sample of everything. A process that is just being started again is left out."""
        at_s = time.monotonic() - self._start_s
        pids = {name: self.stack.service_pid(name) for name in self.stack.service_names()}
        pids["stack"] = self.stack.pid
        for name, pid in pids.items():
            if pid is None:
                continue
            if self._pids.setdefault(name, pid) != pid:
                self.restarts += 1
                self._pids[name] = pid
            try:
                figures = self._figures(name, psutil.Process(pid))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            for figure, value in figures.items():
                self.samples.setdefault(name, {}).setdefault(figure, []).append((at_s, value))

    def _figures(self, name: str, process: psutil.Process) -> dict[str, float]:
        # The stack's own children are the other rows.
        members = [process] if name == "stack" else [process, *process.children(recursive=True)]
        figures = dict.fromkeys(("rss_bytes", "pss_bytes", "descriptors", "threads"), 0.0)
        for member in members:
            try:
                memory = member.memory_full_info()
                figures["rss_bytes"] += memory.rss
                figures["pss_bytes"] += memory.pss
                figures["descriptors"] += member.num_fds()
                figures["threads"] += member.num_threads()
            except psutil.NoSuchProcess:
                if member is process:
                    raise
        log = self._log(name)
        if log is not None:
            figures["log_bytes"] = log.stat().st_size
        if name not in _NO_METRICS:
            tasks = self._tasks(name, process)
            if tasks is not None:
                figures["tasks"] = tasks
        return figures

    def _log(self, name: str) -> Path | None:
        found = sorted(self.stack.data_dir.glob(f"*/logs/{name}.log"))
        return found[0] if found else None

    def _tasks(self, name: str, process: psutil.Process) -> float | None:
        port = self._ports.get(process.pid)
        if port is None:
            listening = [c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
            if not listening:
                return None
            port = self._ports[process.pid] = listening[0].laddr.port
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{port}/metrics", timeout=_SCRAPE_DEADLINE_S, trust_env=False
            )
        except httpx.HTTPError:
            return None
        self.scraped[name] = answer.text
        return metric(answer.text, "exchange_tasks")


def metric(text: str, name: str) -> float | None:
    """The sum of a metric over its labels in a page of /metrics; None when it is not there."""
    values = [
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith((f"{name} ", f"{name}{{"))
    ]
    return sum(values) if values else None
