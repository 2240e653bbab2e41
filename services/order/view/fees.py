"""What is agreed about fees, as the events tell it: tiers, the discount, and where accounts stand. Pure."""

from collections.abc import Callable, Collection

from exchange.contracts.events import MarketRegistered
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
)
from exchange.trading.fees import Rates, rates_in

__all__ = ["FeeView"]


class FeeView:
    """`discount_asset_id` 0: there is no discount."""

    def __init__(self) -> None:
        self.tiers: dict[int, FeeTierChanged] = {}
        self.discount_asset_id = 0
        self.discount_ppm = 0
        self._tier_of: dict[int, int] = {}
        self._discounted: set[int] = set()
        self.appliers: dict[type, Callable[..., None]] = {
            FeeTierChanged: self._tier_changed,
            AccountTierChanged: self._account_tier_changed,
            FeeDiscountChanged: self._discount_changed,
            FeeDiscountSwitched: self._discount_switched,
        }

    def tier_of(self, user_id: int) -> int:
        """The account's tier; 0: it is in none that there is."""
        tier = self._tier_of.get(user_id, 0)
        return tier if tier in self.tiers else 0

    def rates(self, user_id: int, rules: MarketRegistered) -> Rates:
        """What the account's next trade in the market pays, before a discount."""
        return rates_in(rules, self.tiers.get(self.tier_of(user_id)))

    def pays_discounted(self, user_id: int) -> bool:
        """Whether the account has switched the discount on."""
        return user_id in self._discounted

    def is_priced(self, quote_asset_id: int, markets: Collection[MarketRegistered]) -> bool:
        """Whether the discount asset can have a price in that asset."""
        return self.discount_asset_id == quote_asset_id or any(
            (rules.base_asset_id, rules.quote_asset_id) == (self.discount_asset_id, quote_asset_id)
            for rules in markets
        )

    def stand(self, user_id: int, tier: int, pays_discounted: bool) -> None:
        """Where an account stands, as a table tells it."""
        self._tier_of[user_id] = tier
        if pays_discounted:
            self._discounted.add(user_id)

    def _tier_changed(self, event: FeeTierChanged, seq: int, time_ms: int) -> None:
        if event.volume_atoms_min:
            self.tiers[event.tier] = event
        else:
            self.tiers.pop(event.tier, None)

    def _account_tier_changed(self, event: AccountTierChanged, seq: int, time_ms: int) -> None:
        self._tier_of[event.user_id] = event.tier

    def _discount_changed(self, event: FeeDiscountChanged, seq: int, time_ms: int) -> None:
        self.discount_asset_id, self.discount_ppm = event.asset_id, event.discount_ppm

    def _discount_switched(self, event: FeeDiscountSwitched, seq: int, time_ms: int) -> None:
        if event.is_on:
            self._discounted.add(event.user_id)
        else:
            self._discounted.discard(event.user_id)
