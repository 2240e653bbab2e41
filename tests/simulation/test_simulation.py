"""The promises of the whole exchange under seeded faults, and proof that breaking one is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaign import MUTATION_SEEDS, first_catch
from tests.simulation.mutations import MUTATIONS
from tests.simulation.report import replay_command
from tests.simulation.world import run_seed

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_promise_holds_in_every_seed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seeds", str(SEEDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=800,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def test_seeds_meet_every_kind_of_trouble() -> None:
    results = [run_seed(seed) for seed in range(12)]
    for result in results:
        assert result.failure is None, replay_command(result.seed)
    assert sum(result.crashes for result in results) > 50
    assert sum(result.pauses for result in results) > 20
    assert sum(result.leaders for result in results) > 20
    assert min(result.acknowledged for result in results) > 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTATIONS)
def test_planted_bug_is_caught(name: str) -> None:
    caught = first_catch(name, range(MUTATION_SEEDS))
    assert caught is not None, f"no seed below {MUTATION_SEEDS} notices that {name}"
    seed, failure = caught
    print(f"seed {seed}: {failure}")
    assert run_seed(seed).failure is None, f"without the bug: {replay_command(seed)}"
