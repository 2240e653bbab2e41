"""Builds the wheel from a copy of what belongs into it, so that the checkout gets no build results."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "exchange", "local", "matching_engine", "services")
SOURCES = (*PACKAGES, "web", "infra/nginx", "infra/prometheus")
FILES = ("pyproject.toml", "setup.py", "README.md")


def build_wheel(folder: Path) -> Path:
    """The wheel, built in `folder` with the tools of this environment and no network."""
    copy = folder / "sources"
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "-w", str(folder)], cwd=copy, check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    return wheel
