"""The kinds of anomaly that are watched for, and in what each is counted (ADR 0057)."""

from typing import Final, NamedTuple

__all__ = [
    "ACCOUNT_BURST",
    "ALERT",
    "ANOMALY_WINDOW_MS",
    "CANCEL_ONLY",
    "CANCEL_RATIO",
    "JUMP_WINDOWS",
    "KINDS",
    "LATENCY",
    "MARKET_KINDS",
    "ORDER_RATE",
    "PRICE_JUMP",
    "AnomalyKind",
    "kinds_that_act",
]

# All counts are of windows of this length, on the time of the events' own stamps.
ANOMALY_WINDOW_MS: Final = 10_000
# Prices are compared within so many of them, the newest included.
JUMP_WINDOWS: Final = 6

ORDER_RATE: Final = "order_rate"
CANCEL_RATIO: Final = "cancel_ratio"
PRICE_JUMP: Final = "price_jump"
ACCOUNT_BURST: Final = "account_burst"
LATENCY: Final = "latency"
# Whose alarm can turn its market to cancel-only.
MARKET_KINDS: Final = (PRICE_JUMP, ORDER_RATE, CANCEL_RATIO)

# What the setting `anomaly_action` says beside kinds by name.
ALERT: Final = "alert"
CANCEL_ONLY: Final = "cancel_only"


class AnomalyKind(NamedTuple):
    """Of whom it is ("market", "account" or "exchange"), and what its value counts, for people."""

    subject: str
    unit: str


KINDS: Final = {
    ORDER_RATE: AnomalyKind("market", "orders within 10 s"),
    CANCEL_RATIO: AnomalyKind("market", "cancels for 1,000 orders within 10 s"),
    PRICE_JUMP: AnomalyKind("market", "hundredths of a percent within 60 s"),
    ACCOUNT_BURST: AnomalyKind("account", "commands within 10 s"),
    LATENCY: AnomalyKind("exchange", "ms from the log to the watch, on average of 10 s"),
}


def kinds_that_act(action: str) -> frozenset[str]:
    """Kinds whose alarm turns its market to cancel-only, as `anomaly_action` says. Raises ValueError."""
    if action == ALERT:
        return frozenset()
    if action == CANCEL_ONLY:
        return frozenset(MARKET_KINDS)
    named = {part.strip() for part in action.split(",")}
    if not named <= set(MARKET_KINDS):
        raise ValueError(f"{action}: {ALERT}, {CANCEL_ONLY}, or some of {', '.join(MARKET_KINDS)}")
    return frozenset(named)
