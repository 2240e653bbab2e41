"""Log lines: for people as text, for machines (CloudWatch Logs, OpenSearch) as one JSON object each.

A JSON line has exactly these keys, so that an index of them never grows fields:
  time       RFC 3339 in UTC, with milliseconds
  level      DEBUG, INFO, WARNING, ERROR or CRITICAL
  process    as in the charts: order, market-data, projections-ledger, ...
  shard      a number
  logger     the Python module
  message    text
  exception  the traceback, only where there is one
"""

import json
import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

__all__ = ["LogFormat", "formatter", "process_name"]

LogFormat = Literal["text", "json"]
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# CloudWatch cuts an event at 256 KiB and OpenSearch a keyword earlier; a traceback tells most at its end.
_FIELD_LENGTH_MAX: Final = 32_768
_ENDINGS: Final = (".main", ".__main__")


def process_name(module: str | None = None, arguments: Sequence[str] | None = None) -> str:
    """What a process is called: `python -m services.projections.main ledger` is projections-ledger.

    By default of this process. A program that is no module is called "exchange".
    """
    if module is None:
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = "" if spec is None else str(spec.name)
    for ending in _ENDINGS:
        module = module.removesuffix(ending)
    name = module.rpartition(".")[2].replace("_", "-") or "exchange"
    parts = [word for word in (sys.argv[1:] if arguments is None else arguments) if word.isalpha()]
    return "-".join([name.removeprefix("matching-"), *parts])


def formatter(log_format: LogFormat, shard: int) -> logging.Formatter:
    """What makes a line of a record."""
    return logging.Formatter(_TEXT) if log_format == "text" else _JsonLines(process_name(), shard)


class _JsonLines(logging.Formatter):
    """Takes the fields of the module's docstring and nothing else: no `extra` of a library gets in."""

    def __init__(self, process: str, shard: int) -> None:
        super().__init__()
        self._of_process: dict[str, str | int] = {"process": process, "shard": shard}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int] = {
            "time": _rfc3339(record.created),
            "level": record.levelname,
            **self._of_process,
            "logger": record.name,
            "message": record.getMessage()[:_FIELD_LENGTH_MAX],
        }
        text = self._exception_text(record)
        if text:
            line["exception"] = text[-_FIELD_LENGTH_MAX:]
        # The standard library's, in ASCII: it takes every text, halves of surrogate pairs too.
        return json.dumps(line)

    def _exception_text(self, record: logging.LogRecord) -> str:
        text = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        return "\n".join(filter(None, (text, record.stack_info)))


def _rfc3339(created_s: float) -> str:
    return datetime.fromtimestamp(created_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
