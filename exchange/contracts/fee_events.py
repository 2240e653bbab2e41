"""Events about fees, all of rules version 5 (ADR 0047). Units as in `events`."""

from mypy_extensions import i64, mypyc_attr

from exchange.contracts.events import Event, TradeExecuted

__all__ = [
    "AccountTierChanged",
    "FeeDiscountChanged",
    "FeeDiscountSwitched",
    "FeeTierChanged",
    "MarketFeesChanged",
    "TradeExecutedWithDiscount",
]


@mypyc_attr(acyclic=True)
class MarketFeesChanged(Event):
    """Every trade of the market after this one pays these fees, whenever its orders were placed."""

    def __init__(self, market_id: int, maker_fee_ppm: int, taker_fee_ppm: int) -> None:
        self.market_id = market_id
        self.maker_fee_ppm = maker_fee_ppm
        self.taker_fee_ppm = taker_fee_ppm


@mypyc_attr(acyclic=True)
class FeeTierChanged(Event):
    """Accounts of the tier pay, of a market's fee in ppm, `_share_ppm` millionths, rounded down to a ppm.

    `volume_atoms_min` 0: the tier is gone, and they pay the whole fee.
    """

    def __init__(
        self, tier: int, asset_id: int, volume_atoms_min: int, maker_share_ppm: int, taker_share_ppm: int
    ) -> None:
        self.tier = tier
        self.asset_id = asset_id
        self.volume_atoms_min = volume_atoms_min
        self.maker_share_ppm = maker_share_ppm
        self.taker_share_ppm = taker_share_ppm


@mypyc_attr(acyclic=True)
class AccountTierChanged(Event):
    """The account is in this tier from now on; 0: in none."""

    def __init__(self, user_id: int, tier: int) -> None:
        self.user_id = user_id
        self.tier = tier


@mypyc_attr(acyclic=True)
class FeeDiscountChanged(Event):
    """Who has switched it on pays in this asset, `discount_ppm` of the fee less. `asset_id` 0: nobody."""

    def __init__(self, asset_id: int, discount_ppm: int) -> None:
        self.asset_id = asset_id
        self.discount_ppm = discount_ppm


@mypyc_attr(acyclic=True)
class FeeDiscountSwitched(Event):
    """The account pays its fees in the discount asset from now on (`is_on` 1), or does not (0)."""

    def __init__(self, user_id: int, is_on: int) -> None:
        self.user_id = user_id
        self.is_on = is_on


@mypyc_attr(acyclic=True)
class TradeExecutedWithDiscount(TradeExecuted):
    """A trade of which a side, or both, paid its fee in the discount asset: all that TradeExecuted says, and

    available of `discount_asset_id` - buyer_discount_fee_atoms of the buyer, - seller_discount_fee_atoms of
    the seller; the exchange earns both. Of a side that paid so, `_fee_atoms` is 0; of one that did not,
    `_discount_fee_atoms` is. The amount is quote_atoms, times the side's rate, less the discount, divided by
    the last price of discount asset / quote asset (this trade's, if it is one of that market; 1, if both are
    the same asset), rounded up to an atom. First the buyer receives and pays, then the seller; who has less
    than that then pays as without a discount.
    """

    def __init__(
        self,
        market_id: i64,
        trade_id: i64,
        taker_side: i64,
        price_ticks: i64,
        quantity_lots: i64,
        base_atoms: i64,
        quote_atoms: i64,
        buyer_order_id: i64,
        buyer_user_id: i64,
        buyer_fee_atoms: i64,
        buyer_released_atoms: i64,
        seller_order_id: i64,
        seller_user_id: i64,
        seller_fee_atoms: i64,
        discount_asset_id: i64,
        buyer_discount_fee_atoms: i64,
        seller_discount_fee_atoms: i64,
    ) -> None:
        self.market_id = market_id
        self.trade_id = trade_id
        self.taker_side = taker_side
        self.price_ticks = price_ticks
        self.quantity_lots = quantity_lots
        self.base_atoms = base_atoms
        self.quote_atoms = quote_atoms
        self.buyer_order_id = buyer_order_id
        self.buyer_user_id = buyer_user_id
        self.buyer_fee_atoms = buyer_fee_atoms
        self.buyer_released_atoms = buyer_released_atoms
        self.seller_order_id = seller_order_id
        self.seller_user_id = seller_user_id
        self.seller_fee_atoms = seller_fee_atoms
        self.discount_asset_id = discount_asset_id
        self.buyer_discount_fee_atoms = buyer_discount_fee_atoms
        self.seller_discount_fee_atoms = seller_discount_fee_atoms
