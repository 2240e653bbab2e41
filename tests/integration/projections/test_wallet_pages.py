"""Deposits and withdrawals of /sapi on real PostgreSQL: newest first, the caller's own, by every filter."""

import pytest

from exchange.contracts.commands import (
    CreditDeposit,
    ReleaseWithdrawal,
    ReserveWithdrawal,
    SettleWithdrawal,
)
from exchange.process.components import Resources
from exchange.security.credentials import hash_api_key
from services.order.view.history import History
from services.order.wallet.store import TransferPage, WalletStore
from services.projections.ledger.projection import LedgerProjection
from tests.event_streams import ONE, START_MS, EngineStream
from tests.integration.projections.conftest import Running, publish

pytestmark = pytest.mark.integration
ALICE, BOB, BTC, USDT = 1001, 1002, 1, 3


def page(**chosen: object) -> TransferPage:
    every: dict[str, object] = {
        "user_id": ALICE, "asset_id": None, "status": None, "start_ms": None, "end_ms": None,
        "transfer_id": None, "offset": 0, "limit": 100,
    }  # fmt: skip
    return TransferPage(**{**every, **chosen})  # type: ignore[arg-type]


async def test_pages_of_transfers(resources: Resources) -> None:
    stream = EngineStream()
    for number in range(1, 7):
        stream.apply(CreditDeposit(number, ALICE if number % 3 else BOB, BTC, number * ONE, number))
    for number in range(1, 4):
        stream.apply(ReserveWithdrawal(10 + number, ALICE, BTC, number, number, f"address-{number}"))
    stream.apply(SettleWithdrawal(20, 1), ReleaseWithdrawal(21, 2))
    await publish(resources, stream)
    ledger = LedgerProjection(resources)
    running = Running([ledger])
    await running.start()
    await running.until(lambda: ledger.last_seq == stream.seq)
    await running.stop()
    store = WalletStore(History(resources.database, resources.history_turns, 0, 5.0))

    async def deposits(**chosen: object) -> list[int]:
        return [row.transfer_id for row in await store.deposits(page(**chosen))]

    async def withdrawals(**chosen: object) -> list[tuple[int, str, str]]:
        rows = await store.withdrawals(page(**chosen))
        return [(row.transfer_id, row.status, row.address) for row in rows]

    assert await deposits() == [5, 4, 2, 1]
    assert await deposits(user_id=BOB) == [6, 3]
    assert await deposits(offset=1, limit=2) == [4, 2]
    assert await deposits(asset_id=USDT) == []
    assert await deposits(transfer_id=4) == [4]
    assert await deposits(transfer_id=3) == [], "another's"
    (newest, *_, oldest) = await store.deposits(page())
    assert newest.amount_atoms == 5 * ONE
    assert oldest.time_ms < newest.time_ms
    assert newest.time_ms >= START_MS
    assert await deposits(start_ms=oldest.time_ms + 1, end_ms=newest.time_ms - 1) == [4, 2]
    assert await withdrawals() == [
        (3, "RESERVED", "address-3"), (2, "RELEASED", "address-2"), (1, "SETTLED", "address-1"),
    ]  # fmt: skip
    assert [row[0] for row in await withdrawals(status="SETTLED")] == [1]
    assert await withdrawals(user_id=BOB) == []


async def test_rights_of_a_key_and_listed_addresses(resources: Resources) -> None:
    database = resources.database
    await database.execute(
        "INSERT INTO users (user_id, email, password_hash, created_ms) OVERRIDING SYSTEM VALUE "
        "VALUES ($1, 'a@example.com', 'x', 1)",
        ALICE,
    )
    await database.execute(
        "INSERT INTO api_keys (key_hash, api_key, user_id, label, permissions, ip_allow_list, kind, "
        "public_key_pem, created_ms) VALUES ($1, 'K', $2, 'k', '{READ}', '{10.0.0.0/8}', 'RSA', 'pem', 77)",
        hash_api_key("K"),
        ALICE,
    )
    await database.execute(
        "INSERT INTO withdrawal_addresses "
        "(user_id, asset_id, address, label, created_ms, usable_ms, removed_ms) "
        "VALUES ($1, 1, 'there', 'cold', 1, 5, NULL), ($1, 1, 'gone', 'old', 1, 5, 6)",
        ALICE,
    )
    store = WalletStore(History(database, resources.history_turns, 0, 5.0))
    key = await store.key(hash_api_key("K"))
    assert key is not None
    assert (key.permissions, key.ip_allow_list, key.created_ms) == (("READ",), ("10.0.0.0/8",), 77)
    assert await store.key(hash_api_key("L")) is None
    await database.execute("UPDATE api_keys SET revoked_ms = 99")
    assert await store.key(hash_api_key("K")) is None
    assert await store.addresses(ALICE) == [(1, "there", "cold", 5)]
    assert await store.addresses(BOB) == []
