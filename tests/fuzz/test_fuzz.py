"""The corpus through every target, and short runs of the fuzzer; `make fuzz SECONDS=60` is the long one."""

import importlib.util
import random
from pathlib import Path

import pytest

from exchange.contracts.codec import decode_commands, decode_events, encode_commands, encode_events
from exchange.contracts.commands import Malformed
from tests.fuzz.campaign import CORPUS, fuzz
from tests.fuzz.targets import TARGETS

SECONDS = 2
# The doors for bytes from anywhere; the fuzzer takes seconds to start, and `make verify` runs it on all.
SHORT_RUNS = ("commands", "order_parameters")
SEED = 20_261_121
INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


@pytest.mark.parametrize("path", INPUTS, ids=name_of)
def test_corpus_breaks_nothing(path: Path) -> None:
    TARGETS[path.parent.name].run(path.read_bytes())


@pytest.mark.parametrize("path", [p for p in INPUTS if p.name.startswith("whole")], ids=name_of)
def test_records_that_we_write_are_encoded_to_the_same_bytes(path: Path) -> None:
    record = path.read_bytes()
    if path.parent.name == "events":
        assert encode_events(decode_events(record)) == record
    else:
        decoded = decode_commands(record)
        assert not any(isinstance(command, Malformed) for command in decoded)
        assert encode_commands(decoded) == record


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_corpus_breaks_nothing(target: str) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    for path in sorted((CORPUS / target).iterdir()):
        for _ in range(30):
            damaged = bytearray(path.read_bytes())
            for _ in range(chance.randint(1, 4)):
                place = chance.randrange(len(damaged) + 1)
                damaged[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
            TARGETS[target].run(bytes(damaged))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no atheris for this Python")
@pytest.mark.parametrize(
    "target",
    [t if t in SHORT_RUNS else pytest.param(t, marks=pytest.mark.thorough) for t in TARGETS],
)
def test_short_run_of_the_fuzzer_finds_nothing(target: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    run = fuzz(target, SECONDS, tmp_path, SEED)
    assert run.inputs > 0
    assert run.edges > 0
