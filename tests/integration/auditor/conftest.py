"""The auditor over real PostgreSQL and Valkey, with both logs in memory."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange.process.config import Settings
from tests.at_work import PATIENT
from tests.integration.projections.conftest import connection, resources

__all__ = ["connection", "resources", "settings"]


@pytest.fixture
def settings(database_dsn: str, valkey_url: str, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        database_dsn=SecretStr(database_dsn),
        cache_url=SecretStr(valkey_url),
        command_deadline_ms=3_000,
        **PATIENT,
        database_pool_size=6,
    )


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that took long is no reason to wait longer: here it is the machine that was slow."""
    monkeypatch.setattr("services.auditor.component.COMPARE_PAUSES", 0)
