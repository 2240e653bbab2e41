"""`python -m tests.rehearsal`: build the provider if need be, apply every root to an emulator, tell how."""

import sys
import tempfile
import time
from pathlib import Path

from infra.checks.terraform import Missing
from tests.cluster.build import BuildError
from tests.rehearsal import provider as providers
from tests.rehearsal.applying import FORGOTTEN, ROOTS, RehearsalError, emulated, rehearse


def main() -> int:
    """The number of roots that were not applied, planned and destroyed as they should be."""
    try:
        if providers.found() is None:
            providers.build()
        provider = providers.found()
    except (BuildError, Missing) as error:
        print(f"rehearsal: {error}", file=sys.stderr)
        return 1
    assert provider is not None
    print(f"provider {provider.version}")
    return sum(not _went_well(provider, root) for root in ROOTS)


def _went_well(provider: providers.Provider, root: Path) -> bool:
    started_s = time.monotonic()
    try:
        with emulated() as url, tempfile.TemporaryDirectory(prefix="exchange-rehearsal-") as folder:
            outcome = rehearse(provider, url, root, Path(folder))
    except RehearsalError as error:
        print(f"failed {root.stem}: {error}", flush=True)
        return False
    wrong = {key: places for key, places in outcome.changes.items() if key not in FORGOTTEN}
    took_s = time.monotonic() - started_s
    word = "failed" if wrong else "ok"
    print(f"{word} {root.stem}: {outcome.created} resources, {took_s:.0f} s {wrong or ''}", flush=True)
    return not wrong


if __name__ == "__main__":
    sys.exit(main())
