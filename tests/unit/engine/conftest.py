"""Lets EXCHANGE_ENGINE_BUILD choose the build that these tests run on; without it, whatever comes first."""

import os

from matching_engine import build

_wanted = os.environ.get("EXCHANGE_ENGINE_BUILD")
_running = build.activate(_wanted) if _wanted else None


def pytest_report_header() -> list[str]:
    """Say which engine is tested."""
    return [str(_running)] if _running else []
