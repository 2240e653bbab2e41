"""Runs targets one after the other, each in a process of its own, and tells what was found.

`python -m tests.fuzz --seconds 60 [TARGET ...]`. New inputs of interest are kept in build/fuzz, so that the
next run goes on where this one ended; an input that breaks a promise is written there too.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CORPUS", "Finding", "Run", "fuzz"]

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).with_name("corpus")
INPUT_SIZE_BYTES_MAX = 4_096
ONE_INPUT_DEADLINE_S = 10
MEMORY_MIB_MAX = 2_048
START_DEADLINE_S = 120
_LINES_SHOWN = 30


class Finding(Exception):
    """A target broke its promise. The text says how, and which file holds the input."""


@dataclass(frozen=True)
class Run:
    """What one run did."""

    target: str
    inputs: int
    edges: int


def fuzz(target: str, seconds: int, folder: Path, seed: int | None = None) -> Run:
    """Fuzz one target. Raises Finding."""
    found = folder / target
    found.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.one", target, f"-max_total_time={seconds}"]
    command += [f"-max_len={INPUT_SIZE_BYTES_MAX}", f"-timeout={ONE_INPUT_DEADLINE_S}"]
    command += [f"-rss_limit_mb={MEMORY_MIB_MAX}", f"-artifact_prefix={folder}/{target}-"]
    command += [] if seed is None else [f"-seed={seed}"]
    # The first folder gets what is new, the others are only read.
    command += [str(found), str(CORPUS / target)]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds + START_DEADLINE_S,
        check=False,
    )
    output = ended.stdout.decode(errors="replace")
    if ended.returncode:
        tail = "\n".join(output.splitlines()[-_LINES_SHOWN:])
        raise Finding(f"{target} ended with {ended.returncode}:\n{tail}")
    inputs = re.findall(r"^Done (\d+) runs", output, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", output)
    return Run(target, int(inputs[-1]) if inputs else 0, int(edges[-1]) if edges else 0)
