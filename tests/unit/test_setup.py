"""`make setup` never empties an environment that is not the checkout's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_an_environment_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    """`venv --clear` follows links: it has emptied a shared environment once."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    (theirs / "bin").mkdir(parents=True)
    kept = theirs / "bin" / "python"
    kept.write_text("theirs", encoding="utf-8")
    ours.mkdir()
    for name in ("Makefile", "requirements.lock", "requirements-bootstrap.lock"):
        shutil.copy(ROOT / name, ours / name)
    (ours / ".venv").symlink_to(theirs)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-s", "setup"],
        cwd=ours,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "is a link to" in done.stderr
    assert kept.read_text(encoding="utf-8") == "theirs"
