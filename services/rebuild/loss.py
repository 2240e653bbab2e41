"""What tables that were copied, or that survived, know beyond the restored logs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from exchange.log.event_tail import TailPosition
from services.projections.ledger.batch import ENTRIES_PER_EVENT_MAX
from services.projections.ledger.store import read_position

if TYPE_CHECKING:
    from services.projections.ledger.store import AnyConnection

__all__ = ["LossError", "weigh"]

_DEADLINE_S: Final = 120.0
# By the key of entries, so that what is lost is looked at and not all trades ever.
_TRADES_LOST: Final = (
    "SELECT count(DISTINCT reference) FROM ledger_entries "
    f"WHERE entry_id >= ($1::bigint + 1) * {ENTRIES_PER_EVENT_MAX} AND kind = 'TRADE'"
)
# The notifier may stand beyond the new, shorter end of the events. Left there, it would wait until the log
# has grown to that seq again, and never tell of what comes before it: so it is put back to the end.
_NOTICES_BACK: Final = (
    "UPDATE notice_positions SET last_id = $2, last_hash = $3, next_offset = $4 "
    "WHERE source = $1 AND last_id > $2"
)


class LossError(Exception):
    """The tables hold what the logs do not, and nobody has said that it may go."""


async def weigh(
    connection: "AnyConnection",
    shard: int,
    newest: TailPosition,
    reached: int,
    say: Callable[[str], None],
    *,
    accept: bool,
) -> None:
    """Compare the tables as they are with the logs: `newest` event, and `reached`, the commands' last seq.

    Tables are copied by another way than the archive, and are often some seconds further. Raises LossError,
    unless that is accepted; then it is said what goes.
    """
    known = await read_position(connection, shard)
    if known.seq > reached:
        loss = await _loss(connection, reached, known.seq)
        if not accept:
            raise LossError(
                f"the tables know {loss} that the logs do not hold. They are not touched: keep a copy of "
                "them if you want to know what is lost, then do this again from the log, with accept-loss"
            )
        say(f"LOST: {loss} stood in the tables and are not in the logs")
    await connection.execute(
        _NOTICES_BACK, f"events.{shard}", newest.seq, newest.hash, newest.next_offset, timeout=_DEADLINE_S
    )


async def _loss(connection: "AnyConnection", reached: int, known: int) -> str:
    trades = await connection.fetchval(_TRADES_LOST, reached, timeout=_DEADLINE_S)
    return f"{known - reached} events (seq {reached + 1} to {known}, {trades} trades among them)"
