"""Options of the local modes, from the variables that `make` passes on."""

import asyncio
import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.contracts.anomaly_kinds import ALERT, kinds_that_act
from local.calling import data_dir_default
from local.listening import HOST_DEFAULT, PORT_DEFAULT
from matching_engine import build

if TYPE_CHECKING:
    from local.market_maker.bot import MarketMaker

__all__ = ["LocalOptions", "OptionError", "engine_build", "optional_market_maker", "store_of_house"]

_MARKET_MAKER_SEED = 7
_DAYS_DIGITS_MAX = 5
_PORT_MAX: Final = 65_535
_EVERYWHERE: Final = "0.0.0.0"


class OptionError(Exception):
    """A variable has a value that is none."""


@dataclass(frozen=True)
class LocalOptions:
    """What a local exchange is started with."""

    host: str
    port: int
    data_dir: Path
    market_maker: bool
    rate_limits: bool
    request_limits: bool
    engine_build: str
    fast_start: bool
    # Days after which the logs are shortened by what the archive holds; 0 for never.
    log_kept_days: int = 0
    # Whoever reaches the port may order trouble (local/bad_days).
    bad_days: bool = False
    # A fresh embedded exchange begins with a past (local/past).
    history: bool = False
    # A file of markets for a new exchange, as matching_engine/markets.toml; None for that one.
    markets: Path | None = None
    # Webhooks may lead to 127.0.0.1, without TLS too.
    webhook_loopback: bool = False
    # A stack shows its alerts, where the machine has Prometheus.
    sight: bool = True
    # `make run` keeps ledger, hot books and notices in the exchange's own process (local/far_side).
    one_process: bool = False
    # What an anomaly does beside being told, as the setting says.
    anomaly_action: str = ALERT

    @property
    def url(self) -> str:
        """Where the exchange answers, from this machine."""
        return f"http://{HOST_DEFAULT if self.host == _EVERYWHERE else self.host}:{self.port}"

    def settings(self) -> dict[str, str]:
        """What both local modes have in common, by setting: play money, which may leave as it comes."""
        return {
            "faucet": "true",
            "withdrawal_allow_list": "false",
            "withdrawal_address_delay_s": "0",
            "withdrawal_daily_count_max": "1000000",
            "withdrawal_daily_amounts_max": "*=1000000000",
            "auditor_required": "false",
            "rate_limits": "true" if self.rate_limits else "false",
            "request_limits": "true" if self.request_limits else "false",
            "webhook_loopback": "true" if self.webhook_loopback else "false",
            "engine_build": self.engine_build,
            "log_kept_days": str(self.log_kept_days),
            "anomaly_action": self.anomaly_action,
        }

    @classmethod
    def from_environment(cls) -> "LocalOptions":
        """Read HOST, PORT, DATA_DIR, MARKET_MAKER, RATE_LIMITS, REQUEST_LIMITS, LOG_KEPT_DAYS,
        BAD_DAYS, HISTORY, MARKETS, WEBHOOK_LOOPBACK, PROMETHEUS, ONE_PROCESS,
        ANOMALY_ACTION, and ENGINE_BUILD, FAST_START.

        Raises OptionError.
        """
        mode = _value("ENGINE_BUILD", "auto")
        if mode not in ("auto", "compiled", "interpreted"):
            raise OptionError(f"ENGINE_BUILD={mode}: auto, compiled or interpreted")
        return cls(
            _host(os.environ.get("HOST", "")),
            _port(_value("PORT", str(PORT_DEFAULT))),
            _folder(_value("DATA_DIR", data_dir_default())),
            _switch("MARKET_MAKER", True),
            _switch("RATE_LIMITS", True),
            # All who try things out on one machine share its address.
            _switch("REQUEST_LIMITS", False),
            mode,
            _switch("FAST_START", False),
            _days("LOG_KEPT_DAYS"),
            _switch("BAD_DAYS", False),
            _switch("HISTORY", True),
            _file("MARKETS"),
            _switch("WEBHOOK_LOOPBACK", False),
            _switch("PROMETHEUS", True),
            _switch("ONE_PROCESS", False),
            _action(_value("ANOMALY_ACTION", ALERT)),
        )


def _value(name: str, default: str) -> str:
    """The variable's value. Empty is none: whoever sets it means something that we would have to guess."""
    value = os.environ.get(name, default)
    if not value:
        raise OptionError(f"{name}= is empty: give it a value, or leave it out for {name}={default}")
    return value


def _host(text: str) -> str:
    # Some shells export HOST with the machine's name: that asks for nothing.
    if text in ("", "localhost") or text == socket.gethostname():
        return HOST_DEFAULT
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise OptionError(
            f"HOST={text}: an IPv4 address of this machine, 0.0.0.0 for all; usual is {HOST_DEFAULT}"
        ) from None


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= _PORT_MAX:
        raise OptionError(f"PORT={text}: a number from 1 to {_PORT_MAX}, e.g. PORT=8081")
    return int(text)


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise OptionError(f"DATA_DIR={text}: {error}") from None


def _switch(name: str, default: bool) -> bool:
    value = _value(name, "1" if default else "0")
    if value not in ("0", "1"):
        raise OptionError(f"{name}={value}: 0 or 1")
    return value == "1"


def _action(text: str) -> str:
    try:
        kinds_that_act(text)
    except ValueError as error:
        raise OptionError(f"ANOMALY_ACTION={error}") from None
    return text


def _file(name: str) -> Path | None:
    text = os.environ.get(name, "")
    if text and not Path(text).is_file():
        raise OptionError(f"{name}={text}: there is no such file")
    return Path(text) if text else None


def _days(name: str) -> int:
    value = os.environ.get(name) or "0"
    if not value.isascii() or not value.isdigit() or len(value) > _DAYS_DIGITS_MAX:
        raise OptionError(f"{name}={value}: a number of days, 0 for ever")
    return int(value)


async def engine_build(options: LocalOptions, on_progress: Callable[[str], None]) -> str:
    """Compile the engine if that is asked for and possible; say in words which build will run.

    Whoever is cancelled meanwhile stops the compiler.
    """
    on_progress("the engine's build ...")
    stop = threading.Event()
    try:
        return str(await asyncio.to_thread(build.activate, options.engine_build, stop=stop))
    finally:
        stop.set()


def store_of_house(data_dir: Path) -> Path:
    """The file that names the exchange's own bots."""
    return data_dir / "market_maker.json"


def optional_market_maker(options: LocalOptions) -> "MarketMaker | None":
    """The bot that gives a first look a living book, unless MARKET_MAKER=0."""
    if not options.market_maker:
        return None
    # Imported late: it needs the contracts, and those must wait for the choice of the engine's build.
    from local.market_maker.bot import MarketMaker

    return MarketMaker(options.url, _MARKET_MAKER_SEED, store_of_house(options.data_dir))
