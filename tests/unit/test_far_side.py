"""Promises of local/far_side: what goes through its pipes, and what is said of a silent child."""

import asyncio
import time
from pathlib import Path
from typing import cast

import msgspec
import pytest
from pydantic import SecretStr

from exchange.adapters.files.log import FileLog
from exchange.process.config import Settings
from local.far_side import __main__ as far_side
from local.far_side.__main__ import own_metrics
from local.far_side.component import FarSide
from local.far_side.words import State, Task, state_of, task_for
from local.servers.process import GIVES_WAY

METRICS = """\
# HELP exchange_ledger_last_seq Seq of the last event that the ledger holds.
# TYPE exchange_ledger_last_seq gauge
exchange_ledger_last_seq 7.0
# HELP exchange_loop_lag_seconds How late the event loop came round to a beat.
# TYPE exchange_loop_lag_seconds histogram
exchange_loop_lag_seconds_bucket{le="0.001"} 3.0
exchange_book_writes_total{verdict="applied"} 2.0
"""


def test_the_child_gets_every_setting_that_was_set_secrets_too(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "database_dsn": SecretStr("postgresql://u:p@127.0.0.1/x"),
            "cache_url": "redis://:secret@127.0.0.1:1/0",
            "log_kept_days": "3",
            "secret_key_file": tmp_path / "key",
            "request_limits": "false",
        }
    )
    task = msgspec.json.decode(task_for(settings, 12, "interpreted"), type=Task)
    assert (task.end, task.engine_build) == (12, "interpreted")
    assert Settings.model_validate(task.settings) == settings


def test_only_metrics_that_the_exchange_itself_has_not_are_told() -> None:
    told = own_metrics(METRICS).splitlines()
    assert told == [line for line in METRICS.splitlines() if "loop_lag" not in line]
    assert own_metrics("") == ""


def test_who_says_nothing_for_long_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    side = FarSide(cast("FileLog", None), Settings(), "auto")
    assert side.readiness() == {"far side": "starting"}
    side._state = state_of(msgspec.json.encode(State({"ledger": None, "book": "cache away"}, METRICS)))
    assert side.readiness() == {"ledger": None, "book": "cache away"}
    assert side.metrics() == METRICS
    now_s += 11
    assert side.readiness() == {"far side": "has said nothing for 11 s"}


class _Part:
    """A part that is ready when `problem` is None."""

    name = "ledger"
    problem: str | None = "starting"

    async def start(self) -> None: ...

    async def run(self) -> None: ...

    async def stop(self) -> None: ...

    def readiness(self) -> dict[str, str | None]:
        return {self.name: self.problem}


async def test_it_gives_way_once_it_is_ready_and_not_before(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Behind everybody from its first import on, it kept a busy machine's start waiting for minutes."""
    gave: list[int] = []
    part, turns = _Part(), 0

    async def next_turn(_: float) -> None:
        nonlocal turns
        turns += 1
        assert gave == ([] if turns <= 2 else [GIVES_WAY])
        part.problem = None if turns >= 2 else part.problem
        if turns == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", next_turn)
    with pytest.raises(asyncio.CancelledError):
        await far_side._Told([part], gave.append).run()
    states = [state_of(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [state.problems["ledger"] for state in states] == ["starting", "starting", None, None]
