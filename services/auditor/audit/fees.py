"""What events about fees say, and what a trade may cost its two sides. Pure."""

from typing import Final

from exchange.contracts.codes import BUY
from exchange.contracts.events import TradeExecuted
from exchange.contracts.fee_events import (
    AccountTierChanged,
    FeeDiscountChanged,
    FeeDiscountSwitched,
    FeeTierChanged,
    MarketFeesChanged,
    TradeExecutedWithDiscount,
)
from services.auditor.audit.scope import AuditScope
from services.auditor.audit.state import Asset, Market

__all__ = ["FeesAudit", "fee_in_base", "name_of"]

PPM: Final = 1_000_000


class FeesAudit:
    """Fees of markets, tiers, the discount; and that no side of a trade pays more than is agreed."""

    def __init__(self, scope: AuditScope) -> None:
        self._scope = scope
        self._state = scope.state
        self._breach = scope.breach

    def market_fees_changed(self, event: MarketFeesChanged) -> None:
        """What a market's trades pay from now on: never more than they bring."""
        market = self._state.markets.get(event.market_id)
        if market is None or max(event.maker_fee_ppm, event.taker_fee_ppm) > PPM:
            self._breach(
                "I8", f"market {event.market_id} has fees {event.maker_fee_ppm}, {event.taker_fee_ppm}"
            )
            return
        market.maker_fee_ppm, market.taker_fee_ppm = event.maker_fee_ppm, event.taker_fee_ppm

    def tier_changed(self, event: FeeTierChanged) -> None:
        """A tier's shares of the fees, or its end."""
        if (
            max(event.maker_share_ppm, event.taker_share_ppm) > PPM
            or event.asset_id not in self._state.assets
        ):
            self._breach("I8", f"tier {event.tier} pays {event.maker_share_ppm}, {event.taker_share_ppm} ppm")
        elif event.volume_atoms_min:
            self._state.fees.tiers[event.tier] = (event.maker_share_ppm, event.taker_share_ppm)
        else:
            self._state.fees.tiers.pop(event.tier, None)

    def account_tier_changed(self, event: AccountTierChanged) -> None:
        """An account is in a tier that there is, or in none."""
        if event.tier and event.tier not in self._state.fees.tiers:
            self._breach("I8", f"user {event.user_id} is in tier {event.tier}, which does not exist")
        elif event.tier:
            self._state.fees.tier_of[event.user_id] = event.tier
        else:
            self._state.fees.tier_of.pop(event.user_id, None)

    def discount_changed(self, event: FeeDiscountChanged) -> None:
        """The asset in which fees may be paid."""
        if event.discount_ppm > PPM or (event.asset_id and event.asset_id not in self._state.assets):
            self._breach("I8", f"a discount of {event.discount_ppm} ppm in asset {event.asset_id}")
            return
        self._state.fees.discount_asset_id = event.asset_id
        self._state.fees.discount_ppm = event.discount_ppm

    def discount_switched(self, event: FeeDiscountSwitched) -> None:
        """An account pays in it, or not any more."""
        if event.is_on:
            self._state.fees.discounted.add(event.user_id)
        else:
            self._state.fees.discounted.discard(event.user_id)

    def check(self, event: TradeExecuted, market: Market) -> None:
        """I4: neither side pays more than its rate, and in the discount asset only by its own wish.

        The trade's price is recorded already.
        """
        taker_buys = event.taker_side == BUY
        buyer_ppm = self._rate_ppm(market, event.buyer_user_id, taker_buys)
        seller_ppm = self._rate_ppm(market, event.seller_user_id, not taker_buys)
        base: int = event.base_atoms
        quote: int = event.quote_atoms
        buyer_fee: int = event.buyer_fee_atoms
        seller_fee: int = event.seller_fee_atoms
        if buyer_fee * PPM > base * buyer_ppm:
            self._breach("I4", f"{name_of(event)}: buyer's fee {buyer_fee} is above {buyer_ppm} ppm")
        if seller_fee * PPM > quote * seller_ppm:
            self._breach("I4", f"{name_of(event)}: seller's fee {seller_fee} is above {seller_ppm} ppm")
        if isinstance(event, TradeExecutedWithDiscount):
            self._check_side(
                event, market, event.buyer_user_id, buyer_ppm, event.buyer_discount_fee_atoms, buyer_fee
            )
            self._check_side(
                event, market, event.seller_user_id, seller_ppm, event.seller_discount_fee_atoms, seller_fee
            )

    def _check_side(
        self,
        event: TradeExecutedWithDiscount,
        market: Market,
        user_id: int,
        ppm: int,
        atoms: int,
        others: int,
    ) -> None:
        """`atoms` of the discount asset; `others`: the fee of what the side receives."""
        if atoms:
            self._check_discounted(event, market, user_id, ppm, atoms)
        if atoms and others:
            self._breach("I4", f"{name_of(event)}: user {user_id} pays its fee twice")

    def _check_discounted(
        self, event: TradeExecutedWithDiscount, market: Market, user_id: int, ppm: int, atoms: int
    ) -> None:
        """The smallest whole number of atoms that is worth the fee: one less would be too little."""
        fees, name = self._state.fees, name_of(event)
        if user_id not in fees.discounted or event.discount_asset_id != fees.discount_asset_id:
            self._breach("I4", f"{name}: user {user_id} pays in asset {event.discount_asset_id} unasked")
            return
        worth = self._price(market.quote)
        if worth is None:
            self._breach("I4", f"{name}: asset {event.discount_asset_id} has no price in {market.quote.code}")
            return
        quote_atoms, asset_atoms = worth
        traded: int = event.quote_atoms
        owed = traded * ppm * (PPM - fees.discount_ppm) * asset_atoms
        if (atoms - 1) * PPM * PPM * quote_atoms >= owed:
            self._breach(
                "I4", f"{name}: user {user_id} pays {atoms} atoms, more than {ppm} ppm less discount"
            )

    def _price(self, quote: Asset) -> tuple[int, int] | None:
        """(quote atoms, atoms of the discount asset) that are worth the same; None: not known."""
        asset_id = self._state.fees.discount_asset_id
        if quote.asset_id == asset_id:
            return 1, 1
        for _, market in sorted(self._state.markets.items()):
            if (market.base.asset_id, market.quote.asset_id) == (asset_id, quote.asset_id):
                if not market.last_price_ticks:
                    return None
                return market.last_price_ticks * market.unit_atoms, market.lot_atoms
        return None

    def pay(self, event: TradeExecutedWithDiscount) -> None:
        """Fees in the discount asset leave their payers, as the docstring of the event says."""
        asset = self._state.assets.get(event.discount_asset_id)
        if asset is None:
            self._breach("I1", f"a fee in asset {event.discount_asset_id}, which does not exist")
            return
        self._pay(event.buyer_user_id, asset, event.buyer_discount_fee_atoms)
        self._pay(event.seller_user_id, asset, event.seller_discount_fee_atoms)

    def _pay(self, user_id: int, asset: Asset, atoms: int) -> None:
        balance = self._state.balance(user_id, asset)
        balance.available -= atoms
        asset.fees += atoms
        self._scope.touched.append(balance)

    def _rate_ppm(self, market: Market, user_id: int, is_taker: bool) -> int:
        ppm = market.taker_fee_ppm if is_taker else market.maker_fee_ppm
        fees = self._state.fees
        if not fees.tiers:
            return ppm
        shares = fees.tiers.get(fees.tier_of.get(user_id, 0))
        if shares is None:
            return ppm
        maker_share, taker_share = shares
        return ppm * (taker_share if is_taker else maker_share) // PPM


def name_of(event: TradeExecuted) -> str:
    """How a breach names a trade."""
    return f"trade {event.market_id}:{event.trade_id}"


def fee_in_base(event: TradeExecuted, base_asset_id: int) -> int:
    """What a trade took from its buyer's base asset: as a fee, or because that is the discount asset."""
    fee: int = event.buyer_fee_atoms
    if isinstance(event, TradeExecutedWithDiscount) and event.discount_asset_id == base_asset_id:
        buyers: int = event.buyer_discount_fee_atoms
        sellers: int = event.seller_discount_fee_atoms
        fee += buyers
        if event.seller_user_id == event.buyer_user_id:
            fee += sellers
    return fee
