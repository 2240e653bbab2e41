"""A user of the database for each service, and what each may do: the whole list, in one place.

Whoever takes over one process has the rights of that process alone: the public face reads, only the
projections write what the events say, only the user service writes people and their keys. Tables belong to
whoever runs the migrations, who alone can change, empty or drop them (a rebuild is his too). Users have no
password: on Aurora each logs in with a token for the IAM role of its pod (`rds_iam`, ADR 0041).
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import asyncpg

if TYPE_CHECKING:
    from services.migrations.runner import Connection

__all__ = ["PREFIX", "RIGHTS", "SEQUENCES", "apply_rights", "user_of"]

PREFIX: Final = "exchange_"
# Who may log in with a token: there is such a role on RDS and Aurora, and nowhere else.
_BY_TOKEN: Final = "rds_iam"
# Two jobs at once name the same users, and PostgreSQL lets the second one of them fail.
_ATTEMPTS: Final = 5

_READ: Final = "SELECT"
_ADD: Final = "SELECT, INSERT"
_CHANGE: Final = "SELECT, INSERT, UPDATE"
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"
# A row that is locked while something is decided about it: PostgreSQL asks for the right to change a column.
_LOCK_USER: Final = "SELECT, UPDATE (user_id)"

_MARKETS: Final = {"assets": _READ, "filters": _READ, "markets": _READ, "positions": _READ}
_CREDENTIALS: Final = {
    "api_keys": "SELECT, UPDATE (last_used_ms)",
    "data_keys": _READ,
    "login_sessions": _READ,
}

# Service account -> table -> what it may do there. All that is not here is refused.
RIGHTS: Final[Mapping[str, Mapping[str, str]]] = {
    "order": {
        **_MARKETS, **_CREDENTIALS,
        "balances": _READ, "orders": _READ, "trades": _READ, "deposits": _READ, "withdrawals": _READ,
        "ledger_entries": _READ,
        "withdrawal_addresses": _READ, "order_lists": _READ, "order_amendments": _READ, "decrements": _READ,
        "fee_tiers": _READ, "fee_discount": _READ, "fee_standings": _READ,
        "prevented_ends": _READ,
    },
    "market-data": {
        **_MARKETS,
        "candles": _READ, "candle_folds": _READ, "orders": _READ, "trades": _READ,
    },
    # Accounts, keys and money's way in and out; operators order from the same process and its pods.
    "user": {
        **_MARKETS,
        "administrators": _CHANGE, "administrator_factors": _CHANGE,
        "anomalies": "SELECT, UPDATE (acted_ms, outcome)",
        "administrator_sessions": "SELECT, INSERT, DELETE",
        "api_keys": _CHANGE, "audit_breaches": "SELECT, UPDATE (cleared_ms)",
        "audit_log": _ADD, "audit_log_head": _CHANGE, "data_keys": _ADD, "deposits": _READ,
        "identities": _ADD, "ledger_entries": _READ, "login_sessions": _CHANGE,
        "notice_addresses": _ALL, "notice_address_tokens": "SELECT, UPDATE", "notice_choices": _CHANGE,
        "notice_positions": _READ, "orders": _READ, "outside_logins": _ALL,
        "password_reset_tokens": "SELECT, UPDATE", "second_factors": _ALL,
        "trades": _READ, "users": _CHANGE, "webhook_deliveries": "SELECT, INSERT, DELETE", "webhooks": _ALL,
        "withdrawal_addresses": _CHANGE,
        "withdrawal_freeze_tokens": "SELECT, UPDATE", "withdrawal_freezes": _CHANGE,
        "withdrawal_requests": _CHANGE, "withdrawals": _READ,
        "fee_tiers": _READ, "fee_discount": _READ, "fee_standings": _READ, "fee_volumes": _ALL,
        "fee_volume_folds": _CHANGE, "fee_counts": _CHANGE,
    },
    # The only ones who write what the events say; entries and trades are added and never changed.
    "projections": {
        "assets": "INSERT", "balances": _CHANGE, "candle_folds": _CHANGE, "candles": _CHANGE,
        "deposits": "INSERT", "filters": _CHANGE, "ledger_entries": _ADD, "markets": _CHANGE,
        "orders": _CHANGE,
        "positions": _CHANGE, "trades": _ADD, "withdrawals": _CHANGE, "withdrawal_freezes": _READ,
        "users": _LOCK_USER, "order_lists": _CHANGE, "order_amendments": "INSERT", "decrements": "INSERT",
        "fee_tiers": _ALL, "fee_discount": _CHANGE, "fee_standings": _CHANGE,
        "prevented_ends": "INSERT",
    },
    "auditor": {
        "anomalies": _ALL,
        "audit_breaches": _CHANGE, "balances": _READ, "ledger_entries": _READ, "markets": _READ,
        "orders": _READ, "positions": _READ, "withdrawals": _READ,
        # What the ledger is held against itself by, which its alarm's page asks for from here.
        "candle_folds": _READ, "candles": _READ, "deposits": _READ, "order_lists": _READ, "trades": _READ,
    },
    "notifier": {
        "assets": _READ, "markets": _READ, "audit_log": _READ, "identities": _READ,
        "data_keys": _READ, "message_queue": _ALL, "notice_address_tokens": "SELECT, INSERT, DELETE",
        "notice_addresses": _READ, "notice_choices": _READ, "webhook_deliveries": _ALL,
        "webhooks": "SELECT, UPDATE (given_up, last_ms, last_result)",
        "notice_positions": _CHANGE, "password_reset_tokens": "SELECT, INSERT, DELETE",
        "users": "SELECT (user_id, email)", "withdrawal_freeze_tokens": "SELECT, INSERT, DELETE",
    },
    # The function behind API Gateway: sums of one account's ledger, and who the token's account is.
    "statements": {
        "assets": _READ, "identities": _READ, "ledger_entries": _READ, "outside_logins": _READ,
        "positions": _READ, "users": "SELECT (user_id, email)",
    },
}  # fmt: skip

# Numbers of transfers are drawn, and never put back.
SEQUENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "user": {"deposit_ids": "SELECT, USAGE, UPDATE", "withdrawal_ids": "SELECT, USAGE, UPDATE"},
}


def user_of(service: str, prefix: str = PREFIX) -> str:
    """Name of a service's user in the database."""
    return prefix + service.replace("-", "_")


async def apply_rights(connection: "Connection", prefix: str = PREFIX) -> list[str]:
    """Make a user for each service and give it its rights, and none beside them; returns the users.

    Run by the owner of the tables, after every migration: what is not in the list any more is taken away in
    the same transaction. Raises asyncpg.PostgresError.
    """
    for attempt in range(_ATTEMPTS):
        try:
            async with connection.transaction():
                return await _apply(connection, prefix)
        except (asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError, asyncpg.InternalServerError):
            if attempt + 1 == _ATTEMPTS:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("the last attempt returns or raises")


async def _apply(connection: "Connection", prefix: str) -> list[str]:
    known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    users = []
    for service, tables in RIGHTS.items():
        user = user_of(service, prefix)
        users.append(user)
        statements = [] if user in known else [f"CREATE ROLE {user} LOGIN"]
        if _BY_TOKEN in known:
            statements.append(f"GRANT {_BY_TOKEN} TO {user}")
        statements += [
            f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {user}",
            f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {user}",
            f"GRANT USAGE ON SCHEMA public TO {user}",
        ]
        statements += [f"GRANT {what} ON {table} TO {user}" for table, what in sorted(tables.items())]
        statements += [
            f"GRANT {what} ON SEQUENCE {name} TO {user}"
            for name, what in sorted(SEQUENCES.get(service, {}).items())
        ]
        await connection.execute("; ".join(statements))
    return users
