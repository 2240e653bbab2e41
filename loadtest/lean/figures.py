"""What a lean run has counted, in the shape of `loadtest.locustfile.figures`. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["Counts", "percentile"]

_REASON_CHARS_MAX: Final = 120


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in order; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Counts:
    """Response times and failures by kind of request."""

    def __init__(self) -> None:
        self._times_ms: dict[str, list[float]] = {}
        self._failures: Counter[str] = Counter()
        self._errors: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        """Count from zero."""
        self._times_ms, self._failures, self._errors = {}, Counter(), Counter()

    def add(self, name: str, took_ms: float, status: int, body: bytes) -> None:
        """One request is over; whatever is no 200 is a failure."""
        self._times_ms.setdefault(name, []).append(took_ms)
        if status != 200:
            self._failures[name] += 1
            reason = f"{status} {body[:_REASON_CHARS_MAX].decode(errors='replace')}"
            self._errors[name, reason] += 1

    def figures(self, took_s: float) -> dict[str, Any]:
        """All of it, with rates over `took_s` seconds."""
        every = [value for values in self._times_ms.values() for value in values]
        errors = [
            {"request": name, "error": reason, "count": count}
            for (name, reason), count in self._errors.items()
        ]
        rows = {name: _row(values, self._failures[name], took_s) for name, values in self._times_ms.items()}
        total = _row(every, sum(self._failures.values()), took_s)
        return {"seconds": took_s, "total": total, "requests": rows, "errors": errors}


def _row(times_ms: Sequence[float], failures: int, took_s: float) -> Mapping[str, float]:
    ordered = sorted(times_ms)
    return {
        "requests": len(ordered),
        "failures": failures,
        "rps": len(ordered) / took_s,
        "mean_ms": sum(ordered) / len(ordered) if ordered else 0.0,
        "p50_ms": percentile(ordered, 0.50),
        "p95_ms": percentile(ordered, 0.95),
        "p99_ms": percentile(ordered, 0.99),
        "max_ms": ordered[-1] if ordered else 0.0,
    }
