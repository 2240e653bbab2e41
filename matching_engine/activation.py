"""How rules become active (design decision 6): a command on the log, sent when every engine has them.

A new exchange begins with the newest (matching_engine/genesis.py). An older one gets them by the operator's
`python -m services.operator rules activate VERSION`, after both engines run the new code: an engine that does
not know a version stops there. On one machine (`make run`, `make stack`) all engines are of one checkout, and
whoever leads asks for them by itself (`EXCHANGE_ACTIVATES_RULES`).
"""

import logging
import secrets

from exchange.contracts.codec import encode_commands
from exchange.contracts.commands import ActivateRules
from exchange.ports.world import Log
from matching_engine.core.rules_version import RULES_VERSION_MAX

__all__ = ["activate_newest_rules"]

logger = logging.getLogger(__name__)


async def activate_newest_rules(command_log: Log, active_version: int) -> None:
    """Ask for this code's newest rules where older ones are active. Raises LogError."""
    if active_version >= RULES_VERSION_MAX:
        return
    writer = await command_log.writer()
    try:
        await writer.append(encode_commands([ActivateRules(secrets.randbits(62) | 1, RULES_VERSION_MAX)]))
    finally:
        await writer.close()
    logger.info("asked for rules version %d", RULES_VERSION_MAX)
