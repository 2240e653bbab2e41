"""What a person sees of a local exchange: steps while it starts, then where to look and what to try."""

import ipaddress
import os
import sys
import time

from rich.console import Console

from local.calling import call
from local.options import LocalOptions

__all__ = ["Steps", "welcome"]


class Steps:
    """Prints one line for each step of the start, with the seconds since it began."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    def __call__(self, message: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {message}")


def welcome(options: LocalOptions, mode: str, engine_build: str, alerts_url: str = "") -> str:
    """Return the text that is printed once everything is ready. `alerts_url`: "" where none are shown."""
    url, shell = options.url, call(mode)
    alerts = f"  alerts    {alerts_url}  (Prometheus)\n" if alerts_url else ""
    return f"""
ready: {url}

  {engine_build}
  terminal  {url}/  (in a browser)
  health    {url}/readyz
  prices    curl '{url}/api/v3/ticker/price'
  depth     curl '{url}/api/v3/depth?symbol=BTCUSDT&limit=5'
  stream    {url.replace("http", "ws", 1)}/ws/btcusdt@trade
{alerts}
A first order: the README's "First order", with EXCHANGE={url}
Ctrl-C stops; `{shell}` again goes on where it stopped. Running as pid {os.getpid()}.
{_open_to_others(options)}"""


def _open_to_others(options: LocalOptions) -> str:
    if ipaddress.ip_address(options.host).is_loopback:
        return ""
    return f"Open to the network: whoever reaches {options.host}:{options.port} may sign up and trade.\n"
