"""Keys in Redis by which the auditor tells everybody how the exchange is.

Who moves money out of the exchange asks first (exchange/security/withdrawal_stop.py): not while RED_KEY is
set, nor while the heartbeat says anything else than that all of the log is audited, and was compared lately.
The tag in braces keeps both on one node of a cluster, where they can be asked for together.
"""

from typing import Final

import msgspec

__all__ = [
    "AUDITING",
    "COMPARED_AGE_MS_MAX",
    "HEARTBEAT_AGE_S_MAX",
    "HEARTBEAT_KEY",
    "LAG_MS_MAX",
    "RED",
    "RED_KEY",
    "REPLAYING",
    "Heartbeat",
]

# JSON {"seq", "invariant", "detail"} of the first breach. Never expires; an operator clears it.
RED_KEY: Final = "{auditor}:red"
# JSON of a Heartbeat.
HEARTBEAT_KEY: Final = "{auditor}:heartbeat"
HEARTBEAT_AGE_S_MAX: Final = 60
# What was on the log so long ago has to be audited: some rounds of the auditor, and one long comparison.
LAG_MS_MAX: Final = 60_000
# The stores have to have been compared so lately: twice the auditor's longest pause, and time to wait for
# them.
COMPARED_AGE_MS_MAX: Final = 300_000

AUDITING: Final = "auditing"
REPLAYING: Final = "replaying"
RED: Final = "red"


class Heartbeat(msgspec.Struct, frozen=True):
    """How far the auditor is, as of `time_ms`.

    `seq`: the last event audited. `state`: AUDITING, REPLAYING (it has not reached the log's end since it
    began) or RED. `lag_ms`: how long ago all that was then on the log had been audited; `lag_records`:
    records on the log behind the audited ones. `compared_age_ms`: age of the last comparison in which the
    ledger and the hot books were equal, of whichever was compared longer ago; None when one was not, since
    it began.
    """

    seq: int
    time_ms: int
    state: str
    lag_ms: int
    lag_records: int
    compared_age_ms: int | None
