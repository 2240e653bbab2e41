"""How long each process of an exchange stood still lately, as its own metrics tell (ADR 0023)."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

from local.operating import way_to_exchange

__all__ = ["Pauses", "pauses_in", "pauses_of", "process_urls"]

_DEADLINE_S = 5.0


class Pauses(NamedTuple):
    """Of one process: the longest of the last minute or two, and what the collector took of the CPU time."""

    process: str
    longest_callback_ms: float
    longest_collection_ms: float
    collector_s: float
    cpu_s: float

    def __str__(self) -> str:
        return (
            f"{self.process}: longest callback {self.longest_callback_ms:.1f} ms, longest collection "
            f"{self.longest_collection_ms:.1f} ms, collector {self.collector_s:.2f} of {self.cpu_s:.1f} s CPU"
        )


def pauses_in(process: str, metrics: str) -> Pauses:
    """Read what /metrics of a process says."""
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return Pauses(
        process,
        totals["exchange_loop_longest_callback_seconds"] * 1_000,
        totals["exchange_collector_longest_seconds"] * 1_000,
        totals.get("exchange_collector_seconds_total", 0.0),
        totals.get("process_cpu_seconds_total", 0.0),
    )


def process_urls(url: str, data_dir: Path | None = None) -> Mapping[str, str]:
    """Every process of the stack in `data_dir`; without one, whatever answers at `url`."""
    if data_dir is not None:
        peers = way_to_exchange(data_dir).get("EXCHANGE_PEER_URLS", "")
        named = dict(peer.split("=", 1) for peer in peers.split(",") if peer)
        if named:
            return named
    return {"exchange": url}


def pauses_of(urls: Mapping[str, str]) -> list[Pauses]:
    """Ask each process; one that does not answer, or tells nothing of pauses, is left out."""
    found: list[Pauses] = []
    with httpx.Client(timeout=_DEADLINE_S, trust_env=False) as client:
        for process, url in urls.items():
            try:
                answer = client.get(f"{url}/metrics")
                found.append(pauses_in(process, answer.raise_for_status().text))
            except (httpx.HTTPError, KeyError, ValueError):
                continue
    return sorted(found, key=lambda pauses: -pauses.longest_callback_ms)
