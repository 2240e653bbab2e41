"""Planted bugs in what trades cost: their own fees, tiers, the discount (ADR 0047)."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from exchange.contracts.events import TradeExecuted
from exchange.contracts.fee_events import TradeExecutedWithDiscount
from matching_engine.core import charging, matching
from matching_engine.core.accounts import AssetTotals, Balance
from tests.simulation.loop import patched

__all__ = ["MUTATIONS_OF_FEES"]


def _fee_rounded_up() -> AbstractContextManager[None]:
    def fee_atoms(received_atoms: int, fee_ppm: int) -> int:
        return -(-received_atoms * fee_ppm // 1_000_000)

    return patched(matching, fee_atoms=fee_atoms)


def _fee_not_booked() -> AbstractContextManager[None]:
    def receive(self: AssetTotals, balance: Balance, amount: int, fee: int) -> None:
        balance.available += amount - fee

    return patched(AssetTotals, receive=receive)


def _taken_twice() -> AbstractContextManager[None]:
    """In the discount asset, and once more in what the buyer has received. All of it is told and booked."""
    charge = charging.charge

    def charging_twice(state: Any, market: Any, trade: TradeExecuted, buyer: Any, seller: Any) -> Any:
        told = charge(state, market, trade, buyer, seller)
        if isinstance(told, TradeExecutedWithDiscount) and told.buyer_discount_fee_atoms:
            told.buyer_fee_atoms = told.base_atoms // 1_000
            market.base.charge(buyer.trader.base, told.buyer_fee_atoms)
        return told

    return patched(matching, charge=charging_twice)


def _booked_in_the_wrong_asset() -> AbstractContextManager[None]:
    """The payer has paid in the discount asset, and the exchange has earned the market's quote asset."""
    discounted = charging._discounted

    def discounting(state: Any, market: Any, order: Any, quote_atoms: int, ppm: int) -> int:
        fee: int = discounted(state, market, order, quote_atoms, ppm)
        if fee:
            state.accounts.totals[state.fees.discount_asset_id].fees -= fee
            market.quote.fees += fee
        return fee

    return patched(charging, _discounted=discounting)


def _tier_forgotten() -> AbstractContextManager[None]:
    """Who is in a tier pays what everybody pays."""
    return patched(charging, rate_ppm=_market_rate_ppm)


def _market_rate_ppm(fees: Any, market: Any, standing: Any, is_taker: bool) -> int:
    rules = market.rules
    return int(rules.taker_fee_ppm if is_taker else rules.maker_fee_ppm)


MUTATIONS_OF_FEES: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "fees are rounded up": _fee_rounded_up,
    "fees are taken and not booked": _fee_not_booked,
    "a discounted fee is taken twice": _taken_twice,
    "a discounted fee is booked in the wrong asset": _booked_in_the_wrong_asset,
    "tiers of fees are forgotten": _tier_forgotten,
}
