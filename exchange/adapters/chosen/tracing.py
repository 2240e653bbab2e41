"""Tracing as the settings want it. Without an endpoint nothing of OpenTelemetry is even imported."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from exchange.process.config import Settings, SettingsError
from exchange.process.tracing import Tracing

__all__ = ["open_tracing"]


@contextlib.asynccontextmanager
async def open_tracing(settings: Settings, service: str) -> AsyncIterator[Tracing | None]:
    """What makes the spans of a process, None when it shall make none; sent off within a deadline at the end.

    `service` is the process's name in its traces. Raises SettingsError.
    """
    endpoint = settings.tracing_endpoint
    if not endpoint:
        yield None
        return
    url = urlsplit(endpoint)
    # Settings are logged: no password belongs here.
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
        raise SettingsError("EXCHANGE_TRACING_ENDPOINT is not http(s)://host[:port]/path, without a login")
    from exchange.adapters.otlp.spans import OpenTelemetry, otlp_exporter

    tracing = OpenTelemetry(
        otlp_exporter(endpoint),
        service=service,
        share=settings.tracing_share,
        takes_parents=settings.tracing_parents,
    )
    try:
        yield tracing
    finally:
        await tracing.close()
