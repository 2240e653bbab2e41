"""Keys in Redis by which the auditor tells everybody how the exchange is.

Who moves money out of the exchange asks first: not while RED_KEY is set, nor while the heartbeat is
missing or older than HEARTBEAT_AGE_S_MAX. The tag in braces keeps both on one node of a cluster, where they
can be asked for together.
"""

from typing import Final

__all__ = ["HEARTBEAT_AGE_S_MAX", "HEARTBEAT_KEY", "RED_KEY"]

# JSON {"seq", "invariant", "detail"} of the first breach. Never expires; an operator clears it.
RED_KEY: Final = "{auditor}:red"
# JSON {"seq", "time_ms", "state"}: the last seq audited and when that was written.
HEARTBEAT_KEY: Final = "{auditor}:heartbeat"
HEARTBEAT_AGE_S_MAX: Final = 60
