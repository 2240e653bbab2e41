"""What trades cost, once more: with fractions where the engine has integers, and exact to the atom."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, floor

from exchange.contracts.codes import BUY
from exchange.contracts.events import Event, MarketRegistered, TradeExecuted
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    TradeExecutedWithDiscount,
)
from tests.simulation.model.books import Books
from tests.simulation.violations import require

__all__ = ["ModelFees"]

PPM = 1_000_000


class ModelFees:
    """What is agreed about fees, as the events tell it."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._tiers: dict[int, FeeTierChanged] = {}
        self._tier_of: dict[int, int] = {}
        self._discount = FeeDiscountChanged(0, 0)
        self._switches: dict[int, int] = {}
        self.discounted = 0  # fees that were paid so
        self.handlers: Mapping[type[Event], Callable[..., None]] = {
            FeeTierChanged: self._tier,
            AccountTierChanged: self._account_tier,
            FeeDiscountChanged: self._discount_changed,
            FeeDiscountSwitched: self._switched,
        }

    def take(self, event: TradeExecuted, rates: tuple[int, int]) -> None:
        """The buyer receives and pays, then the seller. `rates`: taker's and maker's, in ppm."""
        market = self._books.markets[event.market_id]
        is_told = isinstance(event, TradeExecutedWithDiscount)
        told = {True: (event.buyer_fee_atoms, 0), False: (event.seller_fee_atoms, 0)}
        if isinstance(event, TradeExecutedWithDiscount):
            require(event.discount_asset_id == self._discount.asset_id, "I1: the asset of the discount")
            told[True] = (event.buyer_fee_atoms, event.buyer_discount_fee_atoms)
            told[False] = (event.seller_fee_atoms, event.seller_discount_fee_atoms)
        count = self.discounted
        for is_buyer in (True, False):
            user_id = event.buyer_user_id if is_buyer else event.seller_user_id
            is_taker = (event.taker_side == BUY) == is_buyer
            ppm = self._rate(user_id, rates, is_taker)
            asset_id = market.base_asset_id if is_buyer else market.quote_asset_id
            received = event.base_atoms if is_buyer else event.quote_atoms
            self._books.move(user_id, asset_id, received, 0)
            fee = floor(Fraction(received * ppm, PPM))
            discounted = self._discounted(user_id, market, Fraction(event.quote_atoms * ppm, PPM))
            due = (0, discounted) if discounted else (fee, 0)
            require(told[is_buyer] == due, f"I1: user {user_id} pays {told[is_buyer]}, not {due}")
            self._pay(user_id, asset_id, due[0])
            self._pay(user_id, self._discount.asset_id, due[1])
            self.discounted += discounted > 0
        require(is_told == (self.discounted > count), "I1: a discount where there is none")

    def _rate(self, user_id: int, rates: tuple[int, int], is_taker: bool) -> int:
        ppm = rates[0] if is_taker else rates[1]
        tier = self._tiers.get(self._tier_of.get(user_id, 0))
        if tier is None:
            return ppm
        return floor(Fraction(ppm * (tier.taker_share_ppm if is_taker else tier.maker_share_ppm), PPM))

    def _discounted(self, user_id: int, market: MarketRegistered, worth: Fraction) -> int:
        """The fee in the discount asset, 0 where it is not paid so. `worth`: in quote atoms."""
        asset_id = self._discount.asset_id
        if not asset_id or not self._switches.get(user_id):
            return 0
        atoms = worth * Fraction(PPM - self._discount.discount_ppm, PPM)
        if market.quote_asset_id != asset_id:
            pair = (asset_id, market.quote_asset_id)
            of_pair = [m for m in self._books.markets.values() if (m.base_asset_id, m.quote_asset_id) == pair]
            first = min(of_pair, key=lambda m: m.market_id, default=None)
            if first is None or not self._books.prices.get(first.market_id):
                return 0
            price = self._books.prices[first.market_id][-1]
            atoms /= Fraction(price * first.notional_unit_atoms, first.lot_atoms)
        due = ceil(atoms)
        available, _ = self._books.balances.get((user_id, asset_id), (0, 0))
        return due if due <= available else 0

    def _pay(self, user_id: int, asset_id: int, atoms: int) -> None:
        if atoms:
            self._books.move(user_id, asset_id, -atoms, 0)
            self._books.fees[asset_id] = self._books.fees.get(asset_id, 0) + atoms

    def _tier(self, event: FeeTierChanged) -> None:
        if event.volume_atoms_min:
            self._tiers[event.tier] = event
        else:
            self._tiers.pop(event.tier, None)

    def _account_tier(self, event: AccountTierChanged) -> None:
        self._tier_of[event.user_id] = event.tier

    def _discount_changed(self, event: FeeDiscountChanged) -> None:
        self._discount = event

    def _switched(self, event: FeeDiscountSwitched) -> None:
        self._switches[event.user_id] = event.is_on
