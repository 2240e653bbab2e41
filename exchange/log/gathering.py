"""How long the readers of the logs gather: what nobody waits for costs one look for many records.

A look at Kafka takes a client 0.35 to 0.48 ms of processor and the broker 0.15, whatever it brings; one in
the embedded log wakes a task. Whoever is not named here reads at once: the engine that leads, the order
service, market data.
"""

from typing import Final

__all__ = [
    "ANOMALIES_MS",
    "ARCHIVE_MS",
    "AUDITOR_MS",
    "BOOK_MS",
    "LEDGER_MS",
    "MARKET_HISTORY_MS",
    "NOTIFIER_MS",
    "STANDBY_EVENTS_MS",
    "STANDBY_MS",
    "USER_MS",
    "WITHDRAWALS_MS",
]

# What is unusual is told within the second, and may turn a market to cancel-only.
ANOMALIES_MS: Final = 100
# Segments are closed by their size or after minutes.
ARCHIVE_MS: Final = 500
# Its heartbeat may be a minute old before money waits (exchange/security/withdrawal_stop.py).
AUDITOR_MS: Final = 250
# The hot book is a copy; market data have books of their own.
BOOK_MS: Final = 100
# History that lacks something of its caller waits 1.5 s for it (services/order/view/pages.py).
LEDGER_MS: Final = 100
# Rows for analysis, which their readers ask for by the minute.
MARKET_HISTORY_MS: Final = 250
# Notices to people, on their way for seconds anyhow.
NOTIFIER_MS: Final = 100
# A standby that takes over starts this far behind, which is little beside a lease of seconds.
STANDBY_MS: Final = 30
# A standby compares the leader's events with its own and lets these go: reading late costs it memory alone.
STANDBY_EVENTS_MS: Final = 200
# Delays the answer to a transfer at /v1, where hashing a password takes longer than this.
USER_MS: Final = 20
# The settler looks for withdrawals four times a second.
WITHDRAWALS_MS: Final = 50
