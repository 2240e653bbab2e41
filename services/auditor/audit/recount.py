"""All sums made anew from their parts: what the running figures of the state must equal. Pure."""

from collections import Counter

from exchange.contracts.codes import BUY
from services.auditor.audit.state import AuditState, Breach

__all__ = ["recount"]


def recount(state: AuditState) -> list[Breach]:
    """Compare every running sum with its parts: totals, holds, levels. Empty is good."""
    return [*_totals(state), *_holds(state), *_levels(state)]


def _totals(state: AuditState) -> list[Breach]:
    kept: Counter[int] = Counter()
    breaches = []
    for (user_id, asset_id), balance in state.balances.items():
        kept[asset_id] += balance.available + balance.held
        if balance.available < 0 or balance.held < 0:
            detail = f"user {user_id} asset {asset_id}: {balance.available}+{balance.held}"
            breaches.append(Breach(state.seq, "I2", detail))
    for asset_id, asset in state.assets.items():
        inflow = asset.deposited - asset.withdrawn
        if kept[asset_id] != asset.kept or kept[asset_id] + asset.fees != inflow:
            detail = f"{asset.code}: users {kept[asset_id]}, fees {asset.fees}, came in {inflow}"
            breaches.append(Breach(state.seq, "I1", detail))
    return breaches


def _holds(state: AuditState) -> list[Breach]:
    wanted: Counter[tuple[int, int]] = Counter()
    for order in state.orders.values():
        wanted[order.user_id, order.pays.asset.asset_id] += order.hold_atoms
    for withdrawal in state.withdrawals.values():
        balance = withdrawal.balance
        wanted[balance.user_id, balance.asset.asset_id] += withdrawal.amount_atoms
    return [
        Breach(state.seq, "I3", f"user {key[0]} asset {key[1]}: held {balance.held}, wanted {wanted[key]}")
        for key, balance in state.balances.items()
        if balance.held != wanted[key]
    ]


def _levels(state: AuditState) -> list[Breach]:
    booked: Counter[tuple[int, int, int]] = Counter()
    for order in state.orders.values():
        if order.is_resting:
            booked[order.market.market_id, order.side, order.price_ticks] += order.shown_lots
    found: Counter[tuple[int, int, int]] = Counter()
    for market_id, market in state.markets.items():
        for side, book_side in ((BUY, market.bids), (3 - BUY, market.asks)):
            for price, lots in book_side.levels.items():
                found[market_id, side, price] = lots
    return [
        Breach(state.seq, "I6", f"market {key[0]} side {key[1]} at {key[2]}: {found[key]}, not {booked[key]}")
        for key in sorted(found.keys() | booked.keys())
        if found[key] != booked[key]
    ]
