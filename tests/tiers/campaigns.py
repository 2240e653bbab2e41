"""The long campaigns of `make verify`: each is a make target of its own, too."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Final

from tests.tiers.statics import ROOT, Done

__all__ = ["CAMPAIGNS", "run_campaigns"]

# Name -> the call of make, sized as the committed reports; chaos, hours there, is a fifth of it.
CAMPAIGNS: Final = {
    "simulation": ["sim", "SEEDS=10000"],
    "determinism": ["determinism", "COMMANDS=10000000"],
    "fuzz": ["fuzz", "SECONDS=60"],
    "infrastructure": ["infra-test"],
    "cluster": ["cluster-test"],
    "image": ["image-test"],
    "load": ["loadtest", "RPS=500", "DURATION=120"],
    "aged": ["aged", "TRADES=1000000"],
    "replay": ["replay-day", "HOURS=2"],
    "cold start": ["cold-start", "TAIL=1000000"],
    "chaos": ["chaos", "KILLS=200"],
    "abuse": ["abuse", "SECONDS=30"],
    "soak": ["soak", "MINUTES=30"],
}


def run_campaigns(only: Sequence[str]) -> Iterator[Done]:
    """One after the other; one that fails does not stop the others."""
    for name, words in CAMPAIGNS.items():
        if only and name not in only:
            continue
        print(f"\n=== {name}: make {' '.join(words)}", flush=True)
        began_s = time.monotonic()
        code = subprocess.run(["make", *words], cwd=ROOT, check=False).returncode
        yield Done(name, code, time.monotonic() - began_s)
